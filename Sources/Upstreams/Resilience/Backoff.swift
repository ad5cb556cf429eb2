/// How long to wait before a request is sent again: anything from nothing to a bound that doubles with each try ("full
/// jitter"), so that clients that failed together do not come back together.
package struct Backoff: Equatable, Sendable {
    /// The bound of the first wait, in milliseconds.
    package let base: UInt64
    /// The bound of all waits.
    package let most: UInt64

    /// Bounds in milliseconds; the larger one is not below the smaller one.
    package init(base: UInt64 = 25, most: UInt64 = 250) {
        self.base = base
        self.most = max(most, base)
    }

    /// The longest wait after the `attemptNumber`th attempt, which is 1 for the first: base · (2^n − 1).
    package func bound(afterAttempt attemptNumber: Int) -> UInt64 {
        let factor = attemptNumber >= 64 ? UInt64.max : (1 << UInt64(max(attemptNumber, 1))) - 1
        let (product, overflow) = base.multipliedReportingOverflow(by: factor)
        return overflow ? most : min(product, most)
    }

    /// The wait in milliseconds; `random` are 64 random bits.
    package func wait(afterAttempt attemptNumber: Int, random: UInt64) -> UInt64 {
        let (count, overflow) = bound(afterAttempt: attemptNumber).addingReportingOverflow(1)
        return overflow ? random : random.multipliedFullWidth(by: count).high
    }
}
