import DistributedTracing
import EventLoops
import Logging
import Telemetry
import Upstreams

/// What the control plane does for upstreams: ends the intervals of outlier detectors, and tells in the log of everything
/// that changes. It belongs to the control plane's loop.
final class UpstreamWatch {
    private let boards: BoardRegistry
    private let changes: UpstreamChanges
    private let log: Logger
    private let loop: EventLoop
    private var watched: [Watched] = []
    private var timer: ActionTimer?
    private var windows: ActionTimer?
    private var random: IDGenerator

    /// How often it is looked whether a window of latencies is full, in milliseconds.
    private static let windowTime: UInt64 = 100
    /// The answers that make a window, or the times that it was looked.
    private static let windowSamples = 100
    private static let mostLooks = 10

    /// An upstream of the configuration in force.
    private struct Watched {
        var definition: UpstreamDefinition
        var board: UpstreamBoard
        /// When its detector's interval ends, in milliseconds; `UInt64.max` without a detector.
        var sweepAt: UInt64
        /// Its bulkhead, and what has been learned about how much it takes; nil where that is fixed.
        var learning: (bounds: UpstreamBounds, limit: AdaptiveLimit)?
        /// How often the window was looked at that is not full yet.
        var looks = 0
    }

    /// Watches what `changes` tells of.
    init(loop: EventLoop, boards: BoardRegistry, changes: UpstreamChanges, log: Logger) {
        self.boards = boards
        self.changes = changes
        self.log = log
        self.loop = loop
        var system = SystemRandomNumberGenerator()
        random = IDGenerator(seed: system.next(), system.next(), system.next(), system.next())
        windows = ActionTimer(loop: loop) { [unowned self] in endWindows() }
        timer = ActionTimer(loop: loop) { [unowned self] in sweep() }
    }

    /// Watches these upstreams from now on; their boards have their endpoints by now.
    ///
    /// - Parameter bounds: their bulkheads, in the same order.
    func use(_ definitions: [UpstreamDefinition], bounds: [UpstreamBounds]) {
        let now = loop.now
        let known = Dictionary(watched.map { ($0.definition.name, $0) }) { first, _ in first }
        for definition in definitions {
            if let before = known[definition.name]?.definition { tellServers(of: definition, before: before) }
        }
        watched = zip(definitions, bounds).map { definition, bounds in
            var sweepAt = UInt64.max
            if let detector = definition.rules.outlier {
                let before = known[definition.name].flatMap {
                    $0.definition.rules.outlier == detector ? $0.sweepAt : nil
                }
                sweepAt = before ?? now &+ detector.interval
            }
            var learning: (UpstreamBounds, AdaptiveLimit)?
            if let policy = definition.rules.adaptive {
                let before = known[definition.name]?.learning
                learning = before?.bounds === bounds ? before : (bounds, AdaptiveLimit(policy: policy))
            }
            return Watched(
                definition: definition, board: boards.board(named: definition.name), sweepAt: sweepAt,
                learning: learning)
        }
        if watched.contains(where: { $0.learning != nil }) {
            windows?.schedule(after: Self.windowTime)
        } else {
            windows?.cancel()
        }
        schedule()
    }

    private func schedule() {
        guard let next = watched.map(\.sweepAt).min(), next != .max else {
            timer?.cancel()
            return
        }
        timer?.schedule(at: next)
    }

    private func sweep() {
        let now = loop.now
        for index in watched.indices where watched[index].sweepAt <= now {
            guard let detector = watched[index].definition.rules.outlier else { continue }
            watched[index].board.sweep(at: now, by: detector)
            watched[index].sweepAt = now &+ max(detector.interval, 100)
        }
        schedule()
    }

    /// Learns from what has been measured how many requests upstreams take.
    private func endWindows() {
        for index in watched.indices {
            guard var learning = watched[index].learning else { continue }
            watched[index].looks += 1
            let isFull = watched[index].board.measuredSamples >= Self.windowSamples
            guard isFull || watched[index].looks >= Self.mostLooks else { continue }
            watched[index].looks = 0
            learning.limit.windowEnded(watched[index].board.endWindow(), random: random.next())
            learning.bounds.limit(to: learning.limit.limit)
            watched[index].learning = learning
        }
        windows?.schedule(after: Self.windowTime)
    }

    // MARK: - The log

    /// Tells of what has changed.
    func tell() {
        let (changes, dropped) = changes.take()
        for change in changes { tell(change) }
        if dropped > 0 { log.warning("more changes of upstreams than are told", metadata: ["dropped": "\(dropped)"]) }
    }

    /// Tells of what became of a name.
    func tell(_ event: DiscoveryEvent) {
        switch event {
        case .lost(let name): log.warning("name not found: what is known of it stays", metadata: ["name": "\(name)"])
        case .found(let name): log.info("name found again", metadata: ["name": "\(name)"])
        }
    }

    /// Tells of servers that came or went.
    private func tellServers(of definition: UpstreamDefinition, before: UpstreamDefinition) {
        let old = Self.places(before)
        let new = Self.places(definition)
        guard old != new else { return }
        log.info(
            "servers of an upstream changed",
            metadata: Self.place(
                definition.name, nil,
                [
                    "servers": "\(new.count)", "added": "\(Self.list(new.subtracting(old)))",
                    "removed": "\(Self.list(old.subtracting(new)))",
                ]))
    }

    /// The addresses of those servers that have one.
    private static func places(_ definition: UpstreamDefinition) -> Set<String> {
        Set(definition.servers.filter { !$0.address.candidates.isEmpty }.map(\.address.text))
    }

    private static func list(_ places: Set<String>) -> String {
        let most = 16
        let text = places.sorted().prefix(most).joined(separator: " ")
        return places.count > most ? "\(text) and \(places.count - most) more" : text
    }

    private func tell(_ change: UpstreamChange) {
        switch change {
        case .opened(let upstream, let endpoint, let time):
            log.warning(
                "circuit breaker open", metadata: Self.place(upstream, endpoint, ["open_ms": "\(time)"]))
        case .closed(let upstream, let endpoint):
            log.info("circuit breaker closed", metadata: Self.place(upstream, endpoint))
        case .ejected(let upstream, let endpoint, let reason, let time):
            log.warning(
                "endpoint ejected",
                metadata: Self.place(upstream, endpoint, ["reason": "\(reason.word)", "ejected_ms": "\(time)"]))
        case .returned(let upstream, let endpoint):
            log.info("endpoint taken back", metadata: Self.place(upstream, endpoint))
        case .health(let upstream, let endpoint, .unhealthy, let finding):
            log.warning(
                "endpoint unhealthy", metadata: Self.place(upstream, endpoint, ["reason": "\(finding.text)"]))
        case .health(let upstream, let endpoint, _, _):
            log.info("endpoint healthy", metadata: Self.place(upstream, endpoint))
        }
    }

    private static func place(
        _ upstream: String, _ endpoint: String?, _ more: Logger.Metadata = [:]
    ) -> Logger.Metadata {
        var metadata = more
        metadata["upstream"] = "\(upstream)"
        if let endpoint { metadata["endpoint"] = "\(endpoint)" }
        return metadata
    }
}
