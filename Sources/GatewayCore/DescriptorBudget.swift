import Glibc
import HTTPListener

/// How the descriptors that the system allows are shared: half of them for clients, the same number for each worker. The
/// other half is for upstreams, files and the admin listener, which no flood of clients may take away.
struct DescriptorBudget: Equatable, Sendable {
    /// Connections that each worker takes at most, whatever is configured.
    let connectionsPerWorker: Int

    /// The shares of `workers` workers in `descriptors`; at least one connection each.
    init(descriptors: UInt64, workers: Int) {
        connectionsPerWorker = Swift.max(Int(clamping: descriptors) / 2 / Swift.max(workers, 1), 1)
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
