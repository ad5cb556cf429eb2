/// A running estimate of a quantile of times, in constant memory: each time moves it up a little where it is longer and down a
/// little where it is shorter, in such a proportion that it rests where the wanted share is shorter. It rises within some
/// hundred times, falls within some thousand, the later the larger the share is, and stays within about a tenth of the truth.
package struct QuantileEstimate: Equatable, Sendable {
    private let share: Double
    private var estimate = 0.0
    private var samples = 0

    /// Fewer times than these say nothing.
    package static let leastSamples = 100
    /// How far a time moves the estimate, as a share of it.
    private static let step = 0.04

    /// An estimate of the time than which so many of a hundred are shorter, 1 to 99.
    package init(percent: Int) { share = Double(min(max(percent, 1), 99)) / 100 }

    /// The estimate, in the unit of the times; nil while there were too few.
    package var value: Double? { samples >= Self.leastSamples ? estimate : nil }

    /// Takes a time.
    package mutating func add(_ time: UInt64) {
        let time = Double(time)
        if samples == 0 { estimate = time }
        if samples < Self.leastSamples { samples += 1 }
        // While it is learning it takes larger steps.
        let step = max(estimate, 1) * (samples < Self.leastSamples ? 4 * Self.step : Self.step)
        estimate = time > estimate ? estimate + step * share : max(estimate - step * (1 - share), 1)
    }
}
