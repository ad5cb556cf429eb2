package import JSON

/// routes.json as data: every default resolved, every value checked, names not yet replaced by indices.
///
/// Made by ``ConfigurationReader``. Immutable in use: a worker never sees it, only what is compiled from it.
package struct GatewayConfiguration: Equatable, Sendable {
    /// `gateway`: the process itself, from its listeners to its log.
    package var gateway = GatewaySection()
    /// `flags`: the path of the flag file in flagd's format, resolved against the folder of routes.json. No default: a
    /// file without contexts that have a flag needs none.
    package var flags: String?
    /// `upstreams`: where requests can be sent, in file order.
    package var upstreams: [UpstreamSection] = []
    /// `contexts`: the bounded contexts, in file order. A context may bear the name of an upstream.
    package var contexts: [ContextSection] = []
    /// `routes`: what is done with which request, in file order, which has no meaning for matching.
    package var routes: [RouteSection] = []

    static let keys = SectionKeys(["$schema", "gateway", "flags", "upstreams", "contexts", "routes"])

    /// What a name in `to` or `from` stands for.
    package enum Target: Equatable, Sendable {
        /// The context at this index of ``contexts``.
        case context(Int)
        /// The upstream at this index of ``upstreams``.
        case upstream(Int)
    }

    /// Every name that `to` and `from` can give. Where a context and an upstream share a name it is the context: the
    /// decision of a flag must not be passed by because somebody gave the extracted service the name of its context.
    package func targets() -> [String: Target] {
        var targets: [String: Target] = [:]
        for (index, upstream) in upstreams.enumerated() { targets[upstream.name] = .upstream(index) }
        for (index, context) in contexts.enumerated() { targets[context.name] = .context(index) }
        return targets
    }

    /// The index in ``upstreams`` of every upstream's name: what `off`, `on` and `variants` can give.
    package func upstreamIndices() -> [String: Int] {
        Dictionary(upstreams.enumerated().map { ($1.name, $0) }) { first, _ in first }
    }

    init() {}

    init(_ section: SectionReader) {
        _ = section.string("$schema")
        if let gateway = section.section("gateway", GatewaySection.keys, isRequired: true) {
            self.gateway = GatewaySection(gateway)
        }
        flags = section.path("flags")
        upstreams = section.named("upstreams").map { UpstreamSection(name: $0, at: $1, section.session) }
        contexts = section.named("contexts").compactMap { name, place in
            section.session.section(place, ContextSection.keys).map { ContextSection(name: name, $0) }
        }
        for (index, place) in section.elements("routes", isRequired: true).enumerated() {
            guard let route = section.session.section(place, RouteSection.keys) else { continue }
            if let read = RouteSection(index: index, route, defaultMaxBody: gateway.limits.body) { routes.append(read) }
        }
    }

    /// The configuration as it is in force, in the shape of the file: defaults filled in, paths resolved, secrets and
    /// values that came from the environment hidden. It can be read again as a routes.json.
    ///
    /// - Parameter workers: the number of threads that really run.
    package func effective(workers: Int) -> JSONValue {
        let value = JSONValue.section([
            ("gateway", gateway.effective(workers: workers)),
            ("flags", flags.map { .string($0) }),
            ("upstreams", .section(upstreams.map { ($0.name, $0.effective) })),
            ("contexts", .section(contexts.map { ($0.name, $0.effective) })),
            ("routes", .array(routes.map(\.effective))),
        ])
        return value.escapingReferences()
    }
}

extension JSONValue {
    /// The same value with `$${` in every string that holds `${`: read again, it means what it says.
    func escapingReferences() -> JSONValue {
        switch self {
        case .null, .bool, .integer, .real: self
        case .string(let text): .string(EnvironmentText.escaping(text))
        case .array(let elements): .array(elements.map { $0.escapingReferences() })
        case .object(let members):
            .object(members.map { JSONMember(name: $0.name, value: $0.value.escapingReferences()) })
        }
    }

    /// An object of the members that have a value.
    static func section(_ members: [(String, JSONValue?)]) -> JSONValue {
        .object(members.compactMap { name, value in value.map { JSONMember(name: name, value: $0) } })
    }

    /// A string that describes `value` as it is written in the file.
    static func text(_ value: some CustomStringConvertible) -> JSONValue { .string(value.description) }

    /// A whole number.
    static func number(_ value: Int) -> JSONValue { .integer(Int64(value)) }
}
