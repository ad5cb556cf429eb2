import Glibc
import HTTPListener

/// How the descriptors that the system allows are shared: half of them for clients at most, the same number for each worker.
/// A few are kept for files and the admin listener, which neither a flood of clients nor requests that pile up before slow
/// services may take away. The others are for upstreams.
struct DescriptorBudget: Equatable, Sendable {
    private let descriptors: Int
    private let workers: Int
    /// Connections that each worker takes at most, whatever is configured.
    let connectionsPerWorker: Int

    /// The shares of `workers` workers in `descriptors`; at least one connection each.
    init(descriptors: UInt64, workers: Int) {
        self.descriptors = Int(clamping: descriptors)
        self.workers = Swift.max(workers, 1)
        connectionsPerWorker = Swift.max(self.descriptors / 2 / self.workers, 1)
    }

    /// What is kept for the process itself: its loops, files, look-ups of names and operators. An eighth, as far as that is
    /// not more than anybody needs.
    var reserve: Int { Swift.min(Swift.max(descriptors / 8, 32), 1_024) }

    /// How many descriptors connections to upstreams may have where each worker has so many clients.
    func upstreams(besides connections: Int) -> Int {
        let clients = Swift.min(connections, connectionsPerWorker) * workers
        return Swift.max(descriptors - clients - reserve, 1)
    }

    /// Raises the process's bound to what the system allows, and shares it.
    init(raisingLimitFor workers: Int) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            self.init(descriptors: .max, workers: workers)
            return
        }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        self.init(descriptors: UInt64(limit.rlim_max), workers: workers)
    }

    /// `limits` with no more connections than there are descriptors for.
    func bounding(_ limits: ConnectionLimits) -> ConnectionLimits {
        var limits = limits
        limits.connections = Swift.min(limits.connections, connectionsPerWorker)
        return limits
    }
}
