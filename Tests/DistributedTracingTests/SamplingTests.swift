import ByteBuffers
import HTTPMessage
import Testing

@testable import DistributedTracing

/// What is said of shares to others (OpenTelemetry, tracestate handling), and how many traces there may be.
@Suite struct SamplingTests {
    private static func state(_ text: String, sampled: Bool, low: UInt64) -> String {
        var state = TraceState()
        state.append(field: Array(text.utf8).span)
        state.reconcileThreshold(isSampled: sampled, of: TraceID(high: 1, low: low))
        return "\(state.text.text)|\(state.count)"
    }

    @Test(arguments: [
        (1.0, "0"), (0.5, "8"), (0.25, "c"), (0.1, "e6666666666668"), (0.01, "fd70a3d70a3d7"),
    ])
    func thresholdsAreWrittenAsTheSpecificationDoes(ratio: Double, expected: String) {
        var state = TraceState()
        state.begin(threshold: Sampler(ratio: ratio).threshold)
        #expect(state.text.text == "ot=th:\(expected)")
    }

    /// A threshold that contradicts the decision is taken away; a member that is changed goes to the front (W3C Trace
    /// Context, §Mutating the tracestate Field), and everything else stays as it is.
    @Test(
        arguments: [
            ("ot=th:8", true, 0x80_0000_0000_0000, "ot=th:8|1"), ("ot=th:8", true, 0x7F_FFFF_FFFF_FFFF, "|0"),
            ("ot=th:8", false, 0x80_0000_0000_0000, "|0"), ("a=b,ot=th:8,c=d", false, 0, "a=b,c=d|2"),
            ("ot=th:8,c=d", false, 0, "c=d|1"), ("a=b,ot=th:8", false, 0, "a=b|1"),
            ("ot=th:8;x:y", false, 0, "ot=x:y|1"), ("ot=x:y;th:8", false, 0, "ot=x:y|1"),
            ("ot=x:y;th:8;z:w,a=b", false, 0, "ot=x:y;z:w,a=b|2"),
            ("a=b,ot=th:8;x:y", false, 0, "ot=x:y,a=b|2"),
            ("a=b,cc=dd,ot=x:y;th:8,e=f", false, 0, "ot=x:y,a=b,cc=dd,e=f|4"),
            ("a=b,ot=th:0;x:y,c=d", true, 0, "a=b,ot=th:0;x:y,c=d|3"),
            ("ot=th:8;rv:ffffffffffffff", true, 0, "ot=th:8;rv:ffffffffffffff|1"),
            ("ot=rv:00000000000000;th:8", true, 0x80_0000_0000_0000, "ot=rv:00000000000000|1"),
            ("ot=th:zz", true, 0, "|0"), ("ot=x:y", true, 0, "ot=x:y|1"), ("not=th:8", false, 0, "not=th:8|1"),
            ("", true, 0, "|0"), ("ot=th:0", true, 0, "ot=th:0|1"),
        ] as [(String, Bool, UInt64, String)])
    func contradictionsAreTakenAway(text: String, sampled: Bool, low: UInt64, expected: String) {
        #expect(Self.state(text, sampled: sampled, low: low) == expected, "\(text)")
    }

    @Test func anAllowanceIsASecondsWorth() {
        var allowance = SamplingAllowance()
        let second: UInt64 = 1_000_000_000
        var now: UInt64 = 5 * second
        func taken(_ attempts: Int) -> Int { (0..<attempts).count { _ in allowance.take(rate: 10, at: now) } }
        #expect(taken(50) == 10)
        now += second / 2
        #expect(taken(50) == 5)
        now += 100 * second
        #expect(taken(50) == 10, "what was not used does not pile up")
        #expect(taken(50) == 0)
        var slow = SamplingAllowance()
        let found = [0, 9, 11].map { slow.take(rate: 0.1, at: now + $0 * second) }
        #expect(found == [true, false, true])
    }
}
