internal import JSON

/// `gateway`: the process itself.
package struct GatewaySection: Equatable, Sendable {
    /// `name`: what this gateway calls itself in `Via`, as a name of an upstream. Requests that bear it already are
    /// loops, so that gateways in a row need names of their own. Default: `banyan`.
    package var name = "banyan"
    /// `listeners`: where clients connect; at least one, no two on one address.
    package var listeners: [ListenerSection] = []
    /// `admin`: the listener for operators. Default: none.
    package var admin: AdminSection?
    /// `workers`: threads, each with its own event loop, 1 to 1024. Default: nil, one for each processor that the
    /// process may use. The command line's `--workers` wins.
    package var workers: Int?
    /// `identity`: where the user of a request comes from; the first that is found counts. Default: none, so that flags
    /// see no user.
    package var identity: [IdentitySection] = []
    /// `trustedProxies`: peers whose forwarding, trace, request-id and identity headers are believed. Default: none.
    package var trustedProxies: [AddressBlock] = []
    /// `limits`: how much a client may ask for.
    package var limits = LimitsSection()
    /// `timeouts`: how long a client may take.
    package var timeouts = TimeoutsSection()
    /// `accessLog`: one line for each request. Nil where the file says `false`.
    package var accessLog: AccessLogSection? = AccessLogSection()
    /// `tracing`: which trace headers are written, and how many new traces are sampled.
    package var tracing = TracingSection()
    /// `servedBy`: whether responses bear `Banyan-Served-By` with the name of the upstream. Default: true.
    package var servedBy = true
    /// `zone`: where this process stands, at most 64 characters; servers of the same zone are preferred. Default: nil,
    /// which an empty text is, too.
    package var zone: String?
    /// `resolver`: the name server that is asked for the names of upstreams. Default: nil, the system's resolver, and for
    /// SRV records the name servers that it uses.
    package var resolver: NameServerAddress?
    /// `overload`: bounds beyond which new requests are refused at once. Default: nil, there are none.
    package var overload: OverloadSection?
    /// `state`: the path of a small file in which choices made at run time survive a restart: active pools, replaced
    /// servers. Default: nil, they last as long as the process.
    package var state: String?
    /// `handover`: the path of a unix socket at which the next process takes the listening sockets over from this one, at
    /// most 103 bytes. Default: nil, no process takes over.
    package var handover: String?

    static let keys = SectionKeys([
        "name", "listeners", "admin", "workers", "identity", "trustedProxies", "limits", "timeouts", "accessLog",
        "tracing", "servedBy", "zone", "resolver", "overload", "state", "handover",
    ])

    init() {}

    init(_ section: SectionReader) {
        let session = section.session
        if let name = section.name("name") { self.name = name }
        let listed = section.elements("listeners", isRequired: true)
        listeners = listed.enumerated().compactMap { index, place in
            session.section(place, ListenerSection.keys).flatMap { ListenerSection(index: index, $0) }
        }
        if section.has("listeners"), section.isArray("listeners"), listed.isEmpty {
            session.report(section.pointer.appending("listeners"), "a gateway needs at least one listener")
        }
        if let admin = section.section("admin", AdminSection.keys) { self.admin = AdminSection(admin) }
        workers = section.integer("workers", 1...1024)
        identity = section.elements("identity").compactMap { place in
            session.section(place, IdentitySection.keys).flatMap { IdentitySection($0) }
        }
        trustedProxies = section.elements("trustedProxies").compactMap { place in
            guard let block = session.parsed(place, { (text) throws(ValueProblem) in try AddressBlock(parsing: text) })
            else { return nil }
            if block.hadHostBits {
                session.warn(place.pointer, "bits behind the prefix are set; read as \"\(block)\"")
            }
            return block
        }
        if let limits = section.section("limits", LimitsSection.keys) { self.limits = LimitsSection(limits) }
        if let timeouts = section.section("timeouts", TimeoutsSection.keys) {
            self.timeouts = TimeoutsSection(timeouts)
        }
        if section.value("accessLog") == .bool(false) {
            accessLog = nil
        } else if let log = section.section("accessLog", AccessLogSection.keys, expected: "an object or false") {
            accessLog = AccessLogSection(log)
        }
        if let tracing = section.section("tracing", TracingSection.keys) { self.tracing = TracingSection(tracing) }
        section.bool("servedBy", into: &servedBy)
        if let text = section.string("zone"), !text.isEmpty { zone = section.line("zone", upTo: 64) }
        resolver = section.parsed("resolver", NameServerAddress.init(parsing:))
        if section.has("overload"), section.value("overload") != .bool(false) {
            overload = section.section("overload", OverloadSection.keys, expected: "an object or false").map {
                OverloadSection($0)
            }
        }
        state = section.path("state")
        if let path = section.path("handover") {
            if path.utf8.count <= ListenAddress.maximumPathLength {
                handover = path
            } else {
                session.report(
                    section.pointer.appending("handover"),
                    "the path of a unix socket is at most \(ListenAddress.maximumPathLength) bytes long, found "
                        + ValueProblem.quoted(path))
            }
        }
    }

    func effective(workers: Int) -> JSONValue {
        .section([
            ("name", .string(name)),
            ("listeners", .array(listeners.map(\.effective))),
            ("admin", admin?.effective),
            ("workers", .number(workers)),
            ("identity", .array(identity.map(\.effective))),
            ("trustedProxies", .array(trustedProxies.map { .text($0) })),
            ("limits", limits.effective),
            ("timeouts", timeouts.effective),
            ("accessLog", accessLog?.effective ?? .bool(false)),
            ("tracing", tracing.effective),
            ("servedBy", .bool(servedBy)),
            ("zone", zone.map { .string($0) }),
            ("resolver", resolver.map { .text($0) }),
            ("overload", overload?.effective ?? .bool(false)),
            ("state", state.map { .string($0) }),
            ("handover", handover.map { .string($0) }),
        ])
    }
}
