import EventLoops
import GatewayConfig
import Upstreams

/// What all workers share of upstreams, kept over reloads: the bulkheads for as long as their numbers stay, since what runs
/// is counted on; and what is known of their endpoints.
final class BoardRegistry {
    private struct Key: Hashable {
        var name: String
        var connections: Int
        var requests: Int
        var pending: Int
        var isAdaptive: Bool
    }

    private let changes: UpstreamChanges
    /// The descriptors that connections to all upstreams share.
    let descriptors = DescriptorShare()
    private var bounds: [Key: UpstreamBounds] = [:]
    private var boards: [String: UpstreamBoard] = [:]

    /// - Parameter changes: where the boards tell of what has changed.
    init(changes: UpstreamChanges = UpstreamChanges {}) { self.changes = changes }

    func bounds(for upstream: UpstreamSection) -> UpstreamBounds {
        let key = Key(
            name: upstream.name, connections: upstream.maxConnections, requests: upstream.maxRequests,
            pending: upstream.maxPending, isAdaptive: upstream.adaptiveLimit != nil)
        if let known = bounds[key] { return known }
        let fresh = UpstreamBounds(
            connections: upstream.maxConnections, requests: upstream.adaptiveLimit?.start ?? upstream.maxRequests,
            pending: upstream.maxPending, descriptors: descriptors)
        bounds[key] = fresh
        return fresh
    }

    /// The board of the upstream with this name.
    func board(named name: String) -> UpstreamBoard {
        if let known = boards[name] { return known }
        let fresh = UpstreamBoard(name: name, changes: changes)
        boards[name] = fresh
        return fresh
    }

    /// Makes the endpoints those of the configuration that is about to be in force.
    func use(_ definitions: [UpstreamDefinition]) {
        let now = EventLoop.nanoseconds / 1_000_000
        for definition in definitions { board(named: definition.name).use(definition.servers, at: now) }
    }
}
