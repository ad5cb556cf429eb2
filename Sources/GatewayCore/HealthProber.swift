import EventLoops
import Logging
import Upstreams

/// Asks the servers of the configuration in force now and then whether they are well, for all workers together. It belongs
/// to the control plane's loop.
final class HealthProber {
    private let loop: EventLoop
    private let boards: BoardRegistry
    private let log: Logger
    /// Connections for probes alone; made when the first is needed.
    private var upstreams: UpstreamSet?
    private var targets: [HealthTarget.Key: HealthTarget] = [:]
    private var random = SystemRandomNumberGenerator()
    private var tallies: [String: HealthTally] = [:]

    /// A prober that asks nobody yet.
    init(loop: EventLoop, boards: BoardRegistry, log: Logger) {
        self.loop = loop
        self.boards = boards
        self.log = log
    }

    /// How many probes were over, by upstream, in the order of their names.
    var counts: [(upstream: String, well: UInt64, unwell: UInt64)] {
        tallies.sorted { $0.key < $1.key }.map { ($0.key, $0.value.well, $0.value.unwell) }
    }

    /// Asks the servers of these upstreams from now on; their boards have their endpoints by now. Whoever is asked
    /// already goes on as before.
    func use(_ definitions: [UpstreamDefinition]) {
        var next: [HealthTarget.Key: HealthTarget] = [:]
        var order: [HealthTarget] = []
        var newcomers: [HealthTarget] = []
        for definition in definitions {
            guard let check = definition.health else { continue }
            let board = boards.board(named: definition.name)
            let tally = tallies[definition.name] ?? HealthTally()
            tallies[definition.name] = tally
            for (server, endpoint) in zip(definition.servers, board.boards(of: definition.servers))
            where !server.address.candidates.isEmpty {
                let key = HealthTarget.Key(upstream: definition.name, place: server.place)
                // A server that stands in the list twice is one endpoint.
                if next[key] != nil { continue }
                let known = targets[key].flatMap { $0.endpoint === endpoint ? $0 : nil }
                let target = known ?? HealthTarget(key, server, endpoint, board, tally: tally, loop: loop)
                if target.use(check) { newcomers.append(target) }
                next[key] = target
                order.append(target)
            }
        }
        for (key, target) in targets where next[key] !== target { target.stop() }
        let names = Set(definitions.map(\.name))
        tallies = tallies.filter { names.contains($0.key) }
        targets = next
        connect(order)
        for (index, target) in newcomers.enumerated() {
            target.begin(index: index, of: newcomers.count, random: random.next())
        }
    }

    /// Asks nobody any more.
    func stop() { use([]) }

    /// Gives each target the way to its server.
    private func connect(_ order: [HealthTarget]) {
        if upstreams == nil, !order.isEmpty {
            upstreams = UpstreamSet(loop: loop)
            if upstreams == nil { log.error("servers are not asked whether they are well: libcurl has no memory") }
        }
        guard let upstreams else { return }
        let ways = order.map { target in
            let way = target.definition
            target.way.use(way.servers, at: loop.now)
            return way
        }
        let groups = upstreams.apply(ways, bounds: order.map(\.bounds), boards: order.map(\.way))
        for (target, group) in zip(order, groups) {
            // A check has to find what a new request finds: whether connections are accepted, and the certificate is
            // good. What was opened yesterday says nothing about that.
            group.keepNoConnections()
            target.upstream = group
        }
    }
}

/// How many probes of an upstream were over. A class, so that its targets count in one place.
final class HealthTally {
    fileprivate(set) var well: UInt64 = 0
    fileprivate(set) var unwell: UInt64 = 0
}

/// One server that is asked.
private final class HealthTarget {
    /// What makes it the same one after a reload.
    struct Key: Hashable {
        var upstream: String
        var place: UpstreamDefinition.Place
    }

    let key: Key
    private let server: UpstreamDefinition.Server
    /// What all workers know of it.
    let endpoint: EndpointBoard
    private let board: UpstreamBoard
    private let tally: HealthTally
    private let loop: EventLoop
    /// What probes alone use, so that they count nowhere.
    let way: UpstreamBoard
    let bounds = UpstreamBounds()
    var upstream: Upstream?
    private var check: HealthCheck?
    private var record = HealthRecord()
    private var probe: HealthProbe?
    private var timer: ActionTimer?
    private var random = SystemRandomNumberGenerator()
    /// When it was asked last, in milliseconds.
    private var askedAt: UInt64 = 0

    init(
        _ key: Key, _ server: UpstreamDefinition.Server, _ endpoint: EndpointBoard, _ board: UpstreamBoard,
        tally: HealthTally, loop: EventLoop
    ) {
        self.key = key
        self.server = server
        self.endpoint = endpoint
        self.board = board
        self.tally = tally
        self.loop = loop
        way = UpstreamBoard(name: key.upstream)
        timer = ActionTimer(loop: loop) { [unowned self] in ask() }
    }

    /// How the server is reached.
    var definition: UpstreamDefinition { (check ?? HealthCheck(.connection)).way(to: server, of: key.upstream) }

    /// Asks by these rules from now on.
    ///
    /// - Returns: whether it has to begin: it was asked nothing, or something else.
    func use(_ check: HealthCheck) -> Bool {
        if self.check == check { return false }
        self.check = check
        probe?.giveUp()
        probe = HealthProbe.make(for: check, loop: loop) { [unowned self] in found($0) }
        return true
    }

    /// Asks for the first time when its turn among `count` has come.
    func begin(index: Int, of count: Int, random: UInt64) {
        guard let check else { return }
        timer?.schedule(after: check.schedule.first(index: index, of: count, random: random))
    }

    /// Asks no more, and leaves no opinion behind.
    func stop() {
        timer?.cancel()
        probe?.giveUp()
        endpoint.forgetHealth()
    }

    private func ask() {
        askedAt = loop.now
        if let upstream { probe?.ask(upstream, random: random.next()) }
    }

    private func found(_ finding: HealthFinding) {
        guard let check else { return }
        if finding == .well { tally.well += 1 } else { tally.unwell += 1 }
        _ = record.record(isSuccess: finding == .well, by: check.thresholds)
        board.note(finding, record.state, of: endpoint, at: loop.now)
        // From the loop, not from inside the event of an attempt that is not over yet.
        timer?.schedule(at: max(askedAt &+ check.schedule.next(random: random.next()), loop.now + 1))
    }
}
