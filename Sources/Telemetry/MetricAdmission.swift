import Synchronization

/// How many sets of labels one metric may have, over all workers.
///
/// A worker asks once for each set that it has not seen, and remembers the answer: what a client sends cannot make it ask
/// for ever (``MetricTable``).
package final class MetricAdmission: Sendable {
    /// OpenTelemetry's bound; whatever is beyond it is counted together.
    package static let standard = 2_000

    let most: Int
    private let admitted = Mutex<Set<UInt64>>([])

    /// Admits the first `most` sets.
    package init(most: Int = standard) { self.most = most }

    /// Whether the set with this key has figures of its own. The answer never changes.
    func admits(_ key: UInt64) -> Bool {
        admitted.withLock { admitted in
            if admitted.contains(key) { return true }
            if admitted.count >= most { return false }
            admitted.insert(key)
            return true
        }
    }
}
