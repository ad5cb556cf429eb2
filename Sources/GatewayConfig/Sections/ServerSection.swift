internal import JSON

/// An element of an upstream's `servers`: a URL, or an object with a URL and more.
package struct ServerSection: Equatable, Sendable {
    /// `url`: `http(s)://host[:port][/prefix]`, or `srv+http(s)://_service._proto.name[/prefix]`, whose records name
    /// the servers; required.
    package var url: ServerURL
    /// `weight`: the server's share compared with the others', 1 to 1000. Default: 1. A server that is to get nothing
    /// is taken out of the list.
    package var weight = 1
    /// `zone`: a label for where the server stands, 1 to 64 characters. Default: none. Servers in the
    /// zone of the gateway are preferred.
    package var zone: String?

    static let keys = SectionKeys(["url", "weight", "zone"])

    init(url: ServerURL) {
        self.url = url
    }

    /// Nil where the URL cannot be read.
    init?(at place: SectionPlace, _ session: ReadingSession) {
        if case .string = place.value {
            guard let url = session.parsed(place, ServerURL.init(parsingServerOrService:)) else { return nil }
            self.url = url
            return
        }
        guard let section = session.section(place, Self.keys, expected: "a URL or an object") else { return nil }
        let url = section.parsed("url", isRequired: true, ServerURL.init(parsingServerOrService:))
        section.integer("weight", into: &weight, 1...1000)
        zone = section.line("zone", upTo: 64)
        guard let url else { return nil }
        for key in ["weight", "zone"] where url.isService && section.has(key) {
            session.reportName(
                section.pointer.appending(key), "\"\(key)\" is not for a service: its records tell of their servers")
        }
        self.url = url
    }

    var effective: JSONValue {
        .section([
            ("url", .text(url)), ("weight", url.isService ? nil : .number(weight)), ("zone", zone.map { .string($0) }),
        ])
    }
}
