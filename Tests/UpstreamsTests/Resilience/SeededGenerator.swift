import Testing

/// Numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mix = state
        mix = (mix ^ (mix >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mix = (mix ^ (mix >> 27)) &* 0x94D0_49BB_1331_11EB
        return mix ^ (mix >> 31)
    }

    /// True with a probability.
    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
}

/// A condition that has to hold, for loops of a hundred thousand steps: a failure is recorded as by `#expect`, which
/// would take most of the time of such a loop.
func holds(
    _ condition: Bool, _ what: @autoclosure () -> String = "", at location: SourceLocation = #_sourceLocation
) {
    if !condition { Issue.record("does not hold: \(what())", sourceLocation: location) }
}
