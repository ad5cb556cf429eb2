/// An object with fixed keys, while it is read. It notes the keys that are asked for, present or not: every other key
/// of the object is unknown. Made by `JSONPlace.object(_:)`.
package final class JSONSection {
    /// The object itself.
    package let place: JSONPlace
    private let members: [JSONMember]
    private var known: [String] = []
    private var refused: Set<String> = []

    init(members: [JSONMember], place: JSONPlace) {
        self.members = members
        self.place = place
    }

    // MARK: Places

    /// The member `key`, which may be absent.
    package func optional(_ key: String) -> JSONPlace? {
        if !known.contains(key) { known.append(key) }
        return members.first { $0.name == key }.map {
            JSONPlace(value: $0.value, pointer: place.pointer.appending(key), reader: place.reader)
        }
    }

    /// The member `key`; its absence is reported at the object.
    package func required(_ key: String) -> JSONPlace? {
        if let found = optional(key) { return found }
        place.report("missing key \(quoted(key))")
        return nil
    }

    /// Whether the member `key` is there.
    package func has(_ key: String) -> Bool {
        optional(key) != nil
    }

    // MARK: Typed getters: without a default the key is required

    package func string(_ key: String) -> String? { required(key)?.string() }
    package func string(_ key: String, default value: String) -> String {
        optional(key)?.string() ?? value
    }
    package func bool(_ key: String) -> Bool? { required(key)?.bool() }
    package func bool(_ key: String, default value: Bool) -> Bool { optional(key)?.bool() ?? value }
    package func integer(_ key: String, in range: ClosedRange<Int>) -> Int? { required(key)?.integer(in: range) }
    package func integer(_ key: String, in range: ClosedRange<Int>, default value: Int) -> Int {
        optional(key)?.integer(in: range) ?? value
    }
    package func number(_ key: String, in range: ClosedRange<Double>) -> Double? { required(key)?.number(in: range) }
    package func number(_ key: String, in range: ClosedRange<Double>, default value: Double) -> Double {
        optional(key)?.number(in: range) ?? value
    }
    package func array(_ key: String) -> [JSONPlace]? { required(key)?.array() }
    package func object<Result>(_ key: String, _ read: (JSONSection) -> Result?) -> Result? {
        required(key)?.object(read)
    }

    // MARK: Keys

    /// Marks `keys` as known but not to be used: each one that is there is reported with `message`.
    package func refuse(_ keys: [String], _ message: String) {
        for key in keys where refused.insert(key).inserted {
            if let found = members.first(where: { $0.name == key }) {
                place.reader.reportName("key \(quoted(found.name)) \(message)", at: place.pointer.appending(key))
            }
        }
    }

    /// Marks `keys` as known without reading them.
    package func ignore(_ keys: [String]) {
        for key in keys where !known.contains(key) { known.append(key) }
    }

    /// The keys of the object that nobody has asked for yet.
    package var unreadKeys: [String] {
        members.map(\.name).filter { !known.contains($0) && !refused.contains($0) }
    }

    /// Reports that this object is wrong.
    package func report(_ message: String) {
        place.report(message)
    }

    func reportUnknownKeys() {
        for key in unreadKeys {
            let absent = known.filter { name in !members.contains { $0.name == name } }
            let suggestion = nearestName(to: key, among: absent) ?? nearestName(to: key, among: known)
            let hint = suggestion.map { ", did you mean \(quoted($0))?" } ?? ""
            place.reader.reportName("unknown key \(quoted(key))\(hint)", at: place.pointer.appending(key))
        }
    }
}
