import FeatureFlags
import Telemetry

/// The numbers by which a worker counts under the names of one configuration. They are the same in all configurations and
/// workers, so that figures go on when a configuration is replaced.
final class MetricNumbers {
    private let routes: [UInt16]
    private let upstreams: [UInt16]
    private let flags: [UInt16]
    private let variants: [[UInt16]]
    private let parts: [[UInt16]]

    /// Nothing has a number: everything counts as what has no name.
    init() {
        routes = []
        upstreams = []
        flags = []
        variants = []
        parts = []
    }

    /// The numbers for the names of `snapshot`, new ones where `names` has none.
    init(_ snapshot: WorkerSnapshot, _ names: inout MetricVocabulary) {
        routes = snapshot.routeNames.map { names.routes.number(of: String(decoding: $0, as: UTF8.self)) }
        upstreams = snapshot.upstreamNames.map { names.upstreams.number(of: $0) }
        flags = snapshot.slots.map { names.flags.number(of: $0.key) }
        let definitions = snapshot.flags.definitions
        variants = snapshot.slots.map { slot in
            guard definitions.indices.contains(slot.flag) else { return [] }
            return definitions[slot.flag].variants.map { names.variants.number(of: $0.name) }
        }
        parts = snapshot.actions.map { action in
            guard case .aggregate(let plan) = action else { return [] }
            return plan.names.map { names.parts.number(of: String(decoding: $0, as: UTF8.self)) }
        }
    }

    func route(_ route: Int) -> UInt16 { Self.number(route, in: routes) }

    func upstream(_ upstream: Int) -> UInt16 { Self.number(upstream, in: upstreams) }

    /// Whether this is the number of an upstream.
    func hasUpstream(_ number: UInt64) -> Bool { upstreams.contains { UInt64($0) == number } }

    func flag(_ slot: Int) -> UInt16 { Self.number(slot, in: flags) }

    func variant(_ variant: Int?, of slot: Int) -> UInt16 {
        guard let variant, slot < variants.count else { return MetricNames.none }
        return Self.number(variant, in: variants[slot])
    }

    func part(_ part: Int, of route: Int) -> UInt16 {
        guard parts.indices.contains(route) else { return MetricNames.none }
        return Self.number(part, in: parts[route])
    }

    private static func number(_ index: Int, in numbers: [UInt16]) -> UInt16 {
        numbers.indices.contains(index) ? numbers[index] : MetricNames.none
    }
}
