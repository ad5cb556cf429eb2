import EventLoops
import GatewayConfig
import Upstreams

/// Asks one server of the configuration once whether it would serve: what the upstream's `health` asks, or for a
/// connection. Where its name stands for several servers all of them are asked, and at least half have to be well.
final class ServerProbe {
    private let loop: EventLoop
    private let check: HealthCheck
    private let definition: UpstreamDefinition
    private var discovery: Discovery?
    private var upstreams: UpstreamSet?
    private var groups: [Upstream] = []
    private var probes: [HealthProbe] = []
    /// The first of them that has not asked yet.
    private var next = 0
    private var isAsking = false
    private var done: ((String?) -> Void)?
    private var awaited = 0
    private var failures: [String] = []
    private var later: ActionTimer?

    /// So many ask at a time: each needs a descriptor, and a name may stand for a thousand servers.
    private static let most = 32

    /// - Parameter done: called once, from the loop, with nil where all is well, else with what is not.
    init(
        _ server: ServerSection, _ upstream: UpstreamSection, resolver: NameServers?, loop: EventLoop,
        _ done: @escaping (String?) -> Void
    ) {
        self.loop = loop
        self.done = done
        var section = upstream
        section.servers = [server]
        section.pools = []
        definition = UpstreamDefinition(section)
        check = definition.health ?? HealthCheck(.connection)
        // What ends it may come at once, and whoever asks has to have it in hand by then.
        later = ActionTimer(loop: loop) { [unowned self] in begin(resolver) }
        later?.schedule(after: 0)
    }

    private func begin(_ resolver: NameServers?) {
        do throws(EventLoopError) {
            let discovery = try Discovery(loop: loop)
            self.discovery = discovery
            discovery.changed = { [unowned self] in look() }
            discovery.use([definition], servers: resolver)
            look()
        } catch {
            end(error.description)
        }
    }

    /// Asks, once it is known where.
    private func look() {
        guard upstreams == nil, let servers = discovery?.definitions.first?.servers else { return }
        if servers.contains(where: \.address.isWithoutAddress) { return end("the name has no address") }
        guard servers.allSatisfy({ !$0.address.candidates.isEmpty }) else { return }
        guard let set = UpstreamSet(loop: loop) else { return end("libcurl has no memory") }
        upstreams = set
        let ways = servers.map { check.way(to: $0, of: definition.name) }
        awaited = servers.count
        probes = servers.map { _ in
            HealthProbe.make(for: check, loop: loop) { [unowned self] in found($0) }
        }
        groups = set.apply(ways, bounds: ways.map { _ in UpstreamBounds() })
        for group in groups { group.keepNoConnections() }
        goOn()
    }

    private func goOn() {
        // What fails at once says so inside the call, and this loop goes on by itself.
        guard !isAsking else { return }
        isAsking = true
        defer { isAsking = false }
        var random = SystemRandomNumberGenerator()
        while next < probes.count, next - (probes.count - awaited) < Self.most {
            next += 1
            probes[next - 1].ask(groups[next - 1], random: random.next())
        }
    }

    private func found(_ finding: HealthFinding) {
        awaited -= 1
        if finding != .well { failures.append(finding.text) }
        guard awaited == 0 else { return goOn() }
        // From the loop: an attempt is not over inside its own event, and whoever hears of the end lets go of all.
        later = ActionTimer(loop: loop) { [unowned self] in
            end(failures.count * 2 > probes.count ? failures.first : nil)
        }
        later?.schedule(after: 0)
    }

    private func end(_ failure: String?) {
        guard let done else { return }
        self.done = nil
        for probe in probes { probe.giveUp() }
        done(failure)
    }

    deinit { for probe in probes { probe.giveUp() } }
}

extension HealthCheck {
    /// How `server` of the upstream `name` is reached: as requests reach it, as far as the question allows.
    func way(to server: UpstreamDefinition.Server, of name: String) -> UpstreamDefinition {
        var server = server
        switch question {
        case .http: break
        case .connection:
            server.address.isSecure = false
            server.address.tls = UpstreamTLS()
            server.address.carrier = .connection
        case .grpc: server.address.carrier = .http2
        }
        // The name makes endpoints of several upstreams, and of several servers of one, different ones.
        return UpstreamDefinition(name: "\(name) \(server.address.text)\(server.pathPrefix)", servers: [server])
    }
}
