internal import JSON

/// A member of `upstreams`: servers that give the same answers, written as an object or, short, as one URL.
package struct UpstreamSection: Equatable, Sendable {
    /// The Host header that an upstream gets.
    package enum HostHeader: Equatable, Sendable {
        /// `"preserve"`: the client's.
        case preserve
        /// `"server"`: host and port of the server that was chosen.
        case server
        /// Any other text: this name, with a port where one is written.
        case fixed(String)
    }

    /// What is spoken with the servers.
    package enum UpstreamProtocol: String, CaseIterable, Sendable {
        case http1 = "http/1.1"
        /// In clear without asking first (prior knowledge), over TLS by ALPN.
        case h2
    }

    /// What carries requests.
    package enum Transport: String, CaseIterable, Sendable {
        /// The gateway's own HTTP/1.1 or HTTP/2, on connections that libcurl opens.
        case connection
        /// Whole transfers of libcurl.
        case libcurl
    }

    /// The name: 1 to 64 letters, digits, `.`, `-` and `_`, because it stands in headers, metrics and baggage.
    package var name: String
    /// `servers`: at least one; these or `pools` are required. Empty where there are pools.
    package var servers: [ServerSection] = []
    /// `pools`: several sets of servers, of which one gets the requests. Default: none.
    package var pools: [PoolSection] = []
    /// `active`: the name of the pool that gets the requests; nil where there are none. It may be another one at run time.
    package var active: String?
    /// `protocol`: what is spoken with the servers. Default: `http/1.1`.
    package var `protocol` = UpstreamProtocol.http1
    /// `transport`: what carries requests. Default: `connection`.
    package var transport = Transport.connection
    /// `tls`: how `https` servers are verified, and with which certificate we come.
    package var tls = UpstreamTLSSection()
    /// `host`: the Host header that is sent. Default: `server`.
    package var host = HostHeader.server
    /// `connectTimeout`: to open a connection, name look-up and TLS included; then 502 or another server. Default: 1 s.
    package var connectTimeout = TimeLimit.after(.seconds(1))
    /// `timeout`: from the request being sent to the end of the response's head; then 504. Default: 15 s.
    package var timeout = TimeLimit.after(.seconds(15))
    /// `idleTimeout`: between two bytes of a body, either way. Default: 60 s. `"none"` for event streams.
    package var idleTimeout = TimeLimit.after(.seconds(60))
    /// `totalTimeout`: the whole exchange, retries included. Default: none.
    package var totalTimeout = TimeLimit.none
    /// `resolveInterval`: how often the names of the servers are looked up again. Default: 30 s.
    package var resolveInterval = Milliseconds.seconds(30)
    /// `balance`: which server gets the next request. Default: `least-request`.
    package var balance = BalanceSection.leastRequest
    /// `maxConnections`: open connections to the upstream, all workers together, 1 to 1 048 576. Default: 1024.
    package var maxConnections = 1024
    /// `maxRequests`: requests at work in the upstream, all workers together, 1 to 1 048 576; beyond it 503 with
    /// `Retry-After` at once. Default: 1024. Where the limit is adaptive, its greatest value.
    package var maxRequests = 1024
    /// `maxRequests` as `"adaptive"` or `{ "adaptive": … }`. Default: nil, the limit is ``maxRequests``.
    package var adaptiveLimit: AdaptiveLimitSection?
    /// `maxPending`: requests that wait for a connection because no more may be opened, all workers together, 0 to
    /// 1 048 576; beyond it 503 with `Retry-After` at once. Default: 1024.
    package var maxPending = 1024
    /// `retry`: which failures are followed by another try. A route's or a part's wins. Default: one repetition where
    /// nothing was sent or the stream was refused.
    package var retry = RetrySection()
    /// `hedge`: when a request that only reads is sent a second time. A route's or a part's wins. Default: never.
    package var hedge = HedgeSection.off
    /// `health`: servers are asked now and then whether they are well. Default: nil, they are not.
    package var health: HealthSection?
    /// `outlier`: a server that answers requests worse than it should gets none for a while. Nil for `false`. Default: on.
    package var outlier: OutlierSection? = OutlierSection()
    /// `panicThreshold`: where a smaller share of the servers is well, requests go to all of them, 0.0 to 1.0; 0 for
    /// never. Default: 0.5.
    package var panicThreshold = 0.5
    /// `breaker`: where too many calls fail or are slow, further ones are refused at once. Default: nil, they are not.
    package var breaker: BreakerSection?
    /// `slowStart`: how long a server that is new or came back waits for its full share. Default: 10 s.
    package var slowStart = TimeLimit.after(.seconds(10))

    static let keys = SectionKeys(
        [
            "servers", "pools", "active", "protocol", "transport", "tls", "host", "connectTimeout", "timeout",
            "idleTimeout",
            "totalTimeout", "resolveInterval",
            "balance", "maxConnections", "maxRequests", "maxPending", "retry", "hedge", "health",
            "outlier", "panicThreshold", "breaker", "slowStart",
        ])

    /// Reads the value at `place`. What cannot be read is reported and keeps its default, so that the name is known to
    /// the checks that follow.
    init(name: String, at place: SectionPlace, _ session: ReadingSession) {
        self.name = name
        if case .string = place.value {
            if let url = session.parsed(place, ServerURL.init(parsingServerOrService:)) {
                servers = [ServerSection(url: url)]
            }
            return
        }
        guard let section = session.section(place, Self.keys, expected: "a URL or an object") else { return }
        readServers(section)
        section.choice("protocol", into: &self.protocol)
        section.choice("transport", into: &transport)
        if let tls = section.section("tls", UpstreamTLSSection.keys) { self.tls = UpstreamTLSSection(tls) }
        if let host = section.string("host") { self.host = Self.host(host, section) }
        section.timeLimit("connectTimeout", into: &connectTimeout)
        section.timeLimit("timeout", into: &timeout)
        section.timeLimit("idleTimeout", into: &idleTimeout)
        section.timeLimit("totalTimeout", into: &totalTimeout)
        section.duration("resolveInterval", into: &resolveInterval)
        if let place = section.place("balance") { balance = BalanceSection(at: place, session) ?? balance }
        section.integer("maxConnections", into: &maxConnections, 1...1_048_576)
        readMaxRequests(section)
        section.integer("maxPending", into: &maxPending, 0...1_048_576)
        if let retry = RetrySection.read(section) { self.retry = retry }
        if let hedge = HedgeSection.read(section) { self.hedge = hedge }
        section.switched("health", HealthSection.keys, into: &health) { HealthSection($0) }
        section.switched("outlier", OutlierSection.keys, into: &outlier) { OutlierSection($0) }
        section.number("panicThreshold", into: &panicThreshold, 0...1)
        section.switched("breaker", BreakerSection.keys, into: &breaker) { BreakerSection($0) }
        section.timeLimit("slowStart", into: &slowStart)
    }

    private mutating func readServers(_ section: SectionReader) {
        let session = section.session
        let places = section.elements("servers", isRequired: !section.has("pools"))
        servers = places.compactMap { ServerSection(at: $0, session) }
        if section.isArray("servers"), places.isEmpty {
            session.report(section.pointer.appending("servers"), "an upstream needs at least one server")
        }
        pools = section.named("pools").map { PoolSection(name: $0, at: $1, session) }
        if section.isObject("pools"), pools.isEmpty {
            session.report(section.pointer.appending("pools"), "expected at least one pool")
        }
        if section.has("pools"), section.has("servers") {
            session.reportName(
                section.pointer.appending("pools"), "\"pools\" stands instead of \"servers\", not beside it")
        }
        guard section.has("pools") else {
            if section.has("active") {
                session.reportName(section.pointer.appending("active"), "\"active\" needs \"pools\" to choose from")
            }
            return
        }
        guard let place = section.place("active", isRequired: true), let name = session.string(place) else { return }
        active = name
        if section.isObject("pools"), !pools.isEmpty, !pools.contains(where: { $0.name == name }) {
            session.report(place.pointer, unknownPool(name))
        }
    }

    /// The servers that get the requests by what the file says: those of the active pool, where there are pools.
    package var activeServers: [ServerSection] {
        guard !pools.isEmpty else { return servers }
        return pools.first { $0.name == active }?.servers ?? []
    }

    private mutating func readMaxRequests(_ section: SectionReader) {
        switch section.value("maxRequests") {
        case nil, .integer, .real: section.integer("maxRequests", into: &maxRequests, 1...1_048_576)
        default:
            guard let place = section.place("maxRequests"),
                let limit = AdaptiveLimitSection.read(place, section.session)
            else { return }
            adaptiveLimit = limit
            maxRequests = limit.max
        }
    }

    private static func host(_ text: String, _ section: SectionReader) -> HostHeader {
        switch text {
        case "preserve": return .preserve
        case "server": return .server
        default:
            do throws(ValueProblem) {
                let parsed = try HostAndPort(parsing: text)
                return .fixed(parsed.port.map { "\(parsed.host):\($0)" } ?? parsed.host.description)
            } catch {
                section.session.report(
                    section.pointer.appending("host"),
                    "expected \"preserve\", \"server\" or a fixed name, found \(ValueProblem.quoted(text))")
                return .server
            }
        }
    }

    var effective: JSONValue {
        let host: String
        switch self.host {
        case .preserve: host = "preserve"
        case .server: host = "server"
        case .fixed(let name): host = name
        }
        return .section([
            ("servers", pools.isEmpty ? .array(servers.map(\.effective)) : nil),
            ("pools", pools.isEmpty ? nil : .section(pools.map { ($0.name, $0.effective) })),
            ("active", active.map { .string($0) }),
            ("protocol", .string(self.protocol.rawValue)),
            ("transport", .string(transport.rawValue)),
            ("tls", tls.effective),
            ("host", .string(host)),
            ("connectTimeout", .text(connectTimeout)),
            ("timeout", .text(timeout)),
            ("idleTimeout", .text(idleTimeout)),
            ("totalTimeout", .text(totalTimeout)),
            ("resolveInterval", .text(resolveInterval)),
            ("balance", balance.effective),
            ("maxConnections", .number(maxConnections)),
            ("maxRequests", adaptiveLimit?.effective ?? .number(maxRequests)),
            ("maxPending", .number(maxPending)),
            ("retry", retry.effective),
            ("hedge", hedge.effective),
            ("health", health?.effective ?? .bool(false)),
            ("outlier", outlier?.effective ?? .bool(false)),
            ("panicThreshold", .real(panicThreshold)),
            ("breaker", breaker?.effective ?? .bool(false)),
            ("slowStart", .text(slowStart)),
        ])
    }
}
