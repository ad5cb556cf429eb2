/// When so few servers are available that the state of each is ignored: if most checks fail, it is rather the checks
/// that are wrong, or the few that are left would be overrun.
package struct PanicRule: Equatable, Sendable {
    /// The share of available servers below which there is panic, 0…1; 0: only when none is available.
    package let threshold: Double

    /// A rule; a share outside of 0…1 is taken for the nearest.
    package init(threshold: Double = 0.5) {
        self.threshold = threshold >= 0 ? min(threshold, 1) : 0
    }

    /// Whether there is panic.
    package func isPanic(available: Int, of total: Int) -> Bool {
        available <= 0 || Double(available) < threshold * Double(total) - 1e-9
    }
}
