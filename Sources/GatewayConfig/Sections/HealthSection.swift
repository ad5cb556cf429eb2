internal import JSON

/// An upstream's `health`: its servers are asked now and then whether they are well, whatever requests there are.
package struct HealthSection: Equatable, Sendable {
    /// What a server is asked.
    package enum Probe: String, CaseIterable, Sendable {
        /// A `GET` over HTTP; the status counts, and what the answer contains.
        case http
        /// A connection, and nothing more.
        case tcp
        /// `grpc.health.v1.Health/Check`, over HTTP/2.
        case grpc
    }

    /// Statuses that follow one another.
    package struct Statuses: Equatable, Sendable {
        /// The least, from 200 on.
        package var first: Int
        /// The greatest, up to 599.
        package var last: Int
    }

    /// `type`: what a server is asked. Default: `http`.
    package var type = Probe.http
    /// `path`: what `http` asks for, a path with a query or without. Default: `/healthz`.
    package var path = "/healthz"
    /// `status`: what `http` takes for well. Default: 200 to 299.
    package var statuses = [Statuses(first: 200, last: 299)]
    /// `body`: text that the answer to `http` has to contain, 1 to 1024 characters. Default: none.
    package var body: String?
    /// `host`: the Host header of `http` and `grpc`, with a port where one is written. Default: the
    /// upstream's `host` where that is a name, else the server's.
    package var host: String?
    /// `service`: what `grpc` asks for, 1 to 255 characters. Default: none, the server as a whole.
    package var service: String?
    /// `interval`: from one probe of a server to the next, less or more by chance. Default: 5 s.
    package var interval = Milliseconds.seconds(5)
    /// `timeout`: for a probe, the connection included. Default: 1 s.
    package var timeout = Milliseconds.seconds(1)
    /// `healthy`: probes in a row that bring a server back, 1 to 100. Default: 2.
    package var healthy = 2
    /// `unhealthy`: failed probes in a row that take a server out, 1 to 100. Default: 3.
    package var unhealthy = 3

    static let keys = SectionKeys([
        "type", "path", "status", "body", "host", "service", "interval", "timeout", "healthy", "unhealthy",
    ])

    init(_ section: SectionReader) {
        let session = section.session
        section.choice("type", into: &type)
        let isChosen = !session.hasError(under: section.pointer.appending("type"))
        for (key, probes) in [
            ("path", [Probe.http]), ("status", [.http]), ("body", [.http]), ("host", [.http, .grpc]),
            ("service", [.grpc]),
        ] where isChosen && section.has(key) && !probes.contains(type) {
            let names = probes.map { "\"\($0.rawValue)\"" }.joined(separator: " and ")
            session.reportName(
                section.pointer.appending(key),
                "\"\(key)\" is for probes of the type \(names), and this one is \"\(type.rawValue)\"")
        }
        if let path = section.pathTemplate("path") { self.path = path }
        if let places = section.statedElements("status", "status") {
            statuses = places.compactMap { Self.statuses($0, session) }
        }
        body = section.line("body", upTo: 1024)
        if let host = section.parsed("host", HostAndPort.init(parsing:)) {
            self.host = host.port.map { "\(host.host):\($0)" } ?? host.host.description
        }
        service = section.line("service", upTo: 255)
        section.duration("interval", into: &interval)
        section.duration("timeout", into: &timeout)
        section.integer("healthy", into: &healthy, 1...100)
        section.integer("unhealthy", into: &unhealthy, 1...100)
    }

    /// `"200"`, `200` or `"200-299"`; nil where it is none of them.
    private static func statuses(_ place: SectionPlace, _ session: ReadingSession) -> Statuses? {
        guard let text = session.digits(place) ?? session.string(place) else { return nil }
        let numbers = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map { digits in
            digits.count == 3 && digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? Int(String(digits) ?? "") : nil
        }
        guard (1...2).contains(numbers.count), let first = numbers.first ?? nil, let last = numbers.last ?? nil,
            first >= 200, last <= 599, first <= last
        else {
            session.report(
                place.pointer,
                "expected a status from 200 to 599, or two of them such as \"200-299\", found "
                    + ValueProblem.quoted(text))
            return nil
        }
        return Statuses(first: first, last: last)
    }

    var effective: JSONValue {
        .section([
            ("type", .string(type.rawValue)),
            ("path", type == .http ? .string(path) : nil),
            ("status", type == .http ? .array(statuses.map { .text($0) }) : nil),
            ("body", body.map { .string($0) }),
            ("host", host.map { .string($0) }),
            ("service", service.map { .string($0) }),
            ("interval", .text(interval)),
            ("timeout", .text(timeout)),
            ("healthy", .number(healthy)),
            ("unhealthy", .number(unhealthy)),
        ])
    }
}

extension HealthSection.Statuses: CustomStringConvertible {
    /// As they are written in the file.
    package var description: String { first == last ? String(first) : "\(first)-\(last)" }
}
