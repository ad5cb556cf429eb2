import Synchronization

/// How many descriptors connections to upstreams may have in the whole process, so that others are left for files and for
/// the admin listener. Touched when a connection is opened or closed, never by a request.
package final class DescriptorShare: Sendable {
    private let bound: Atomic<Int>
    private let taken = Atomic<Int>(0)

    /// A share of so many; any number by default.
    package init(most: Int = .max) { bound = Atomic(most) }

    /// How many there may be from now on.
    package var most: Int {
        get { bound.load(ordering: .relaxed) }
        set { bound.store(newValue, ordering: .relaxed) }
    }

    func take(_ count: Int) -> Bool {
        if taken.add(count, ordering: .relaxed).newValue <= most { return true }
        give(count)
        return false
    }

    func give(_ count: Int) { taken.subtract(count, ordering: .relaxed) }
}
