/// A generator of ids: xoshiro256** (Blackman and Vigna, 2018). Each worker has its own, seeded from the system.
///
/// Its numbers are well distributed, which is what trace ids, span ids and balancing ask for. They are not secrets: who
/// sees four of them can compute the next, so nothing may rest on their being hard to guess.
package struct IDGenerator: Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// A generator that starts at a seed of 256 random bits. The one seed that xoshiro cannot take, all zero, is
    /// replaced by a fixed one.
    package init(seed first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        let isZero = first | second | third | fourth == 0
        state = isZero ? (0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 1, 2) : (first, second, third, fourth)
    }

    /// The next 64 bits; every value comes, zero too.
    package mutating func next() -> UInt64 {
        let scrambled = (state.1 &* 5).rotated(by: 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3.rotated(by: 45)
        return scrambled
    }

    /// The next span id: never zero (W3C Trace Context §parent-id).
    package mutating func nextSpanID() -> UInt64 {
        while true {
            let value = next()
            if value != 0 { return value }
        }
    }

    /// The next trace id: never zero, random in all its bytes.
    package mutating func nextTraceID() -> TraceID {
        let high = next()
        return TraceID(high: high, low: nextSpanID())
    }
}

extension UInt64 {
    fileprivate func rotated(by count: UInt64) -> UInt64 {
        self << count | self >> (64 - count)
    }
}
