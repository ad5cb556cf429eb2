import Synchronization

/// Something that has changed about an upstream, and is worth a line in the log.
package enum UpstreamChange: Equatable, Sendable {
    /// A breaker refuses requests now; that of the whole upstream where no endpoint is named.
    case opened(upstream: String, endpoint: String?, milliseconds: UInt64)
    /// A breaker lets requests pass again.
    case closed(upstream: String, endpoint: String?)
    case ejected(upstream: String, endpoint: String, OutlierReason, milliseconds: UInt64)
    /// An endpoint that was ejected gets requests again.
    case returned(upstream: String, endpoint: String)
    /// Active checks have come to another opinion.
    case health(upstream: String, endpoint: String, HealthRecord.State, HealthFinding)

    init(_ transition: CircuitBreaker.Transition, upstream: String, endpoint: String?) {
        switch transition {
        case .opened(let time): self = .opened(upstream: upstream, endpoint: endpoint, milliseconds: time)
        case .closed: self = .closed(upstream: upstream, endpoint: endpoint)
        }
    }
}

/// Changes on their way from the workers to the control plane. They are rare; a burst beyond the bound is counted only.
package final class UpstreamChanges: Sendable {
    private struct Waiting {
        var changes: [UpstreamChange] = []
        var dropped = 0
    }

    private let waiting = Mutex(Waiting())
    private let wake: @Sendable () -> Void

    /// How many may wait.
    private static let most = 1_024

    /// - Parameter wake: called on the thread that has something to tell, when nothing waited before.
    package init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    func tell(_ change: UpstreamChange) {
        let isFirst = waiting.withLock { waiting in
            guard waiting.changes.count < Self.most else {
                waiting.dropped += 1
                return false
            }
            waiting.changes.append(change)
            return waiting.changes.count == 1
        }
        if isFirst { wake() }
    }

    /// Takes all that wait, and how many there was no room for.
    package func take() -> (changes: [UpstreamChange], dropped: Int) {
        waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return (waiting.changes, waiting.dropped)
        }
    }
}
