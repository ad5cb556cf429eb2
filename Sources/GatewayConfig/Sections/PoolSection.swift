internal import JSON

/// A member of an upstream's `pools`: servers of which all or none get requests, for going over from one release to the
/// next at once (blue-green).
package struct PoolSection: Equatable, Sendable {
    /// The name: as an upstream's.
    package var name: String
    /// The servers, written as a list or as `{ "servers": … }`; at least one.
    package var servers: [ServerSection] = []

    static let keys = SectionKeys(["servers"])

    /// What cannot be read is reported; the name is known all the same.
    init(name: String, at place: SectionPlace, _ session: ReadingSession) {
        self.name = name
        if case .array(let elements) = place.value {
            servers = Self.servers(elements, place.pointer, session)
        } else if let section = session.section(place, Self.keys, expected: "a list of servers or an object"),
            let inner = section.place("servers", isRequired: true)
        {
            guard case .array(let elements) = inner.value else {
                session.report(inner.pointer, "expected an array, found \(inner.value.kindName)")
                return
            }
            servers = Self.servers(elements, inner.pointer, session)
        }
    }

    static func servers(
        _ elements: [JSONValue], _ pointer: JSONPointer, _ session: ReadingSession
    ) -> [ServerSection] {
        if elements.isEmpty { session.report(pointer, "a pool needs at least one server") }
        return elements.enumerated().compactMap { index, value in
            ServerSection(at: SectionPlace(value: value, pointer: pointer.appending(index)), session)
        }
    }

    var effective: JSONValue { .section([("servers", .array(servers.map(\.effective)))]) }
}
