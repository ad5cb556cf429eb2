import Synchronization

/// The bulkhead of one upstream, over all workers: how many connections, requests and waiting requests it may have.
///
/// Relaxed counters shared by the workers: the only thing on the way of a request that they share, and touched by two
/// additions for each request.
package final class UpstreamBounds: Sendable {
    private let mostConnections: Int
    private let mostRequests: Atomic<Int>
    private let mostPending: Int
    private let connections = Atomic<Int>(0)
    private let requests = Atomic<Int>(0)
    private let uploads = Atomic<Int>(0)
    private let pending = Atomic<Int>(0)
    private let descriptors: DescriptorShare?

    /// Bounds for the whole process.
    ///
    /// - Parameter descriptors: what the connections of all upstreams share; nil for no bound.
    package init(
        connections: Int = 1024, requests: Int = 1024, pending: Int = 1024, descriptors: DescriptorShare? = nil
    ) {
        self.descriptors = descriptors
        mostConnections = connections
        mostRequests = Atomic(requests)
        mostPending = pending
    }

    /// A place for a connection that needs so many descriptors.
    func takeConnection(descriptors count: Int = 1) -> Bool {
        guard Self.take(connections, mostConnections) else { return false }
        if descriptors?.take(count) ?? true { return true }
        connections.subtract(1, ordering: .relaxed)
        return false
    }

    func giveConnection(descriptors count: Int = 1) {
        connections.subtract(1, ordering: .relaxed)
        descriptors?.give(count)
    }

    /// How many requests may be under way.
    package var limit: Int { mostRequests.load(ordering: .relaxed) }

    /// Changes how many requests may be under way: what has begun goes on.
    package func limit(to requests: Int) { mostRequests.store(max(requests, 1), ordering: .relaxed) }

    /// Requests that are under way from all workers.
    package var live: Int { requests.load(ordering: .relaxed) }

    /// A place for a request of this class, which finds less room the less important it is.
    func takeRequest(_ requestClass: RequestClass, _ shares: ClassShares) -> Bool {
        let all = mostRequests.load(ordering: .relaxed)
        let most = requestClass == .live ? all : shares.most(requestClass, of: all)
        return Self.take(requests, most)
    }

    /// A place for a request whose body is not at hand yet.
    func takeUpload() -> Bool {
        let all = mostRequests.load(ordering: .relaxed)
        // Clients decide how long a body takes: whoever sends theirs slowly must not have all the places.
        return Self.take(uploads, max(all - all / 4, 1))
    }
    func giveUpload() { _ = uploads.subtract(1, ordering: .relaxed) }
    func giveRequest() { _ = requests.subtract(1, ordering: .relaxed) }
    func takePending() -> Bool { Self.take(pending, mostPending) }
    func givePending() { _ = pending.subtract(1, ordering: .relaxed) }

    private static func take(_ counter: borrowing Atomic<Int>, _ most: Int) -> Bool {
        if counter.add(1, ordering: .relaxed).newValue <= most { return true }
        _ = counter.subtract(1, ordering: .relaxed)
        return false
    }
}
