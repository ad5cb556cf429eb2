import Testing

@testable import Upstreams

/// Comparison of endpoints at the end of an interval.
@Suite struct OutlierSweepTests {
    typealias Figures = OutlierDetector.EndpointFigures
    typealias Verdict = OutlierDetector.Verdict

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var figures: [Figures]
        var verdicts: [Verdict]
        var change: @Sendable (inout OutlierDetector) -> Void = { _ in }
    }

    private static func well(_ count: Int, failed: Int = 0, latency: Double? = nil) -> [Figures] {
        (0..<count).map { _ in Figures(total: 200, failed: failed, latency: latency) }
    }

    static let cases = [
        Case(testDescription: "nothing", figures: [], verdicts: []),
        Case(testDescription: "all well", figures: well(8), verdicts: []),
        Case(testDescription: "all equally ill", figures: well(8, failed: 150), verdicts: []),
        Case(
            testDescription: "one of six fails", figures: well(5) + [Figures(total: 200, failed: 100)],
            verdicts: [Verdict(endpoint: 5, reason: .successRate)]),
        Case(
            testDescription: "four servers are too few to compare",
            figures: well(3) + [Figures(total: 200, failed: 200)],
            verdicts: []),
        Case(
            testDescription: "too few requests", figures: well(5) + [Figures(total: 99, failed: 99)], verdicts: []),
        Case(
            testDescription: "those with few requests do not make up the number of servers",
            figures: well(4) + [Figures(total: 5, failed: 0), Figures(total: 5, failed: 0)], verdicts: []),
        Case(
            testDescription: "a gap that is noise", figures: well(9) + [Figures(total: 200, failed: 4)], verdicts: []),
        Case(
            testDescription: "the worst first",
            figures: well(18) + [Figures(total: 200, failed: 120), Figures(total: 200, failed: 180)],
            verdicts: [Verdict(endpoint: 19, reason: .successRate), Verdict(endpoint: 18, reason: .successRate)]),
        Case(
            testDescription: "no more than the share",
            figures: well(18) + [Figures(total: 200, failed: 120), Figures(total: 200, failed: 180)],
            verdicts: [Verdict(endpoint: 19, reason: .successRate)], change: { $0.mostEjected = 0.05 }),
        Case(
            testDescription: "ejected ones take up the share",
            figures: well(5) + [Figures(total: 200, failed: 100), Figures(total: 0, failed: 0, isEjected: true)],
            verdicts: [], change: { $0.mostEjected = 0.2 }),
        Case(
            testDescription: "one of two is slow",
            figures: [
                Figures(total: 200, failed: 0, latency: 20_000), Figures(total: 200, failed: 0, latency: 90_000),
            ], verdicts: [Verdict(endpoint: 1, reason: .latency)]),
        Case(
            testDescription: "not slow enough",
            figures: [
                Figures(total: 200, failed: 0, latency: 20_000), Figures(total: 200, failed: 0, latency: 59_000),
            ], verdicts: []),
        Case(
            testDescription: "many times, but of next to nothing",
            figures: [
                Figures(total: 200, failed: 0, latency: 100), Figures(total: 200, failed: 0, latency: 20_000),
            ], verdicts: []),
        Case(
            testDescription: "two of five are slow",
            figures: well(3, latency: 10_000) + [
                Figures(total: 200, failed: 0, latency: 400_000), Figures(total: 200, failed: 0, latency: 500_000),
            ], verdicts: [Verdict(endpoint: 4, reason: .latency), Verdict(endpoint: 3, reason: .latency)]),
        Case(
            testDescription: "three of five are slow: that is how it is",
            figures: well(2, latency: 10_000)
                + well(3, latency: 400_000), verdicts: []),
        Case(
            testDescription: "no latency known", figures: well(4) + [Figures(total: 200, failed: 0, latency: .nan)],
            verdicts: []),
        Case(
            testDescription: "latency is off",
            figures: [
                Figures(total: 200, failed: 0, latency: 20_000), Figures(total: 200, failed: 0, latency: 900_000),
            ], verdicts: [], change: { $0.latencyFactor = 0 }),
        Case(
            testDescription: "one that fails and is slow has one verdict",
            figures: well(5, latency: 1_000) + [Figures(total: 200, failed: 150, latency: 900_000)],
            verdicts: [Verdict(endpoint: 5, reason: .successRate)]),
        Case(
            testDescription: "more failures than requests", figures: well(5) + [Figures(total: 200, failed: 300)],
            verdicts: [Verdict(endpoint: 5, reason: .successRate)]),
    ]

    @Test(arguments: cases) func judges(_ test: Case) {
        var detector = OutlierDetector()
        test.change(&detector)
        #expect(detector.sweep(test.figures) == test.verdicts)
    }

    /// The bound is 1.9 standard deviations below the mean: of ten, one at 50 % beside nine at 100 % has a mean of 95
    /// %, a deviation of 15 %, a bound of 66.5 %; at 3 deviations the bound is 50 %, and it stays.
    @Test func theBoundIsInDeviations() {
        let figures = (0..<9).map { _ in Figures(total: 100, failed: 0) } + [Figures(total: 100, failed: 50)]
        var detector = OutlierDetector()
        #expect(detector.sweep(figures).map(\.endpoint) == [9])
        detector.deviations = 3.01
        #expect(detector.sweep(figures).isEmpty)
    }

    /// Random figures: the share holds, nobody twice, nobody ejected already, nobody without enough requests; and a
    /// plain median of the others agrees about latency.
    @Test(arguments: 1...5 as ClosedRange<UInt64>) func holdsForAllFigures(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var judged = 0
        for _ in 0..<4_000 {
            var detector = OutlierDetector()
            detector.mostEjected = Double.random(in: 0...1, using: &generator)
            detector.minimumServers = Int.random(in: 0...6, using: &generator)
            detector.leastLatencyGap = 0
            detector.latencyFactor = Double.random(in: 1...4, using: &generator)
            let figures = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                let total = Int.random(in: 50...300, using: &generator)
                let isSick = generator.chance(0.2)
                return Figures(
                    total: total, failed: isSick ? Int.random(in: 0...total, using: &generator) : 0,
                    latency: generator.chance(0.1)
                        ? nil : Double.random(in: 1...(isSick ? 1_000 : 20), using: &generator),
                    isEjected: generator.chance(0.1))
            }
            let verdicts = detector.sweep(figures)
            judged += verdicts.count
            let out = figures.count { $0.isEjected } + verdicts.count
            holds(
                verdicts.isEmpty
                    || out < figures.count && Double(out) <= detector.mostEjected * Double(figures.count) + 1e-6,
                "\(out) of \(figures.count)")
            holds(Set(verdicts.map(\.endpoint)).count == verdicts.count)
            for verdict in verdicts {
                let own = figures[verdict.endpoint]
                holds(!own.isEjected && own.total >= 100)
                guard verdict.reason == .latency else { continue }
                let others = figures.indices.filter {
                    $0 != verdict.endpoint && !figures[$0].isEjected && figures[$0].total >= 100
                }.compactMap { figures[$0].latency }.sorted()
                let median = (others[(others.count - 1) / 2] + others[others.count / 2]) / 2
                holds((own.latency ?? 0) > detector.latencyFactor * median, "\(own.latency ?? 0) beside \(others)")
            }
        }
        #expect(judged > 200)
    }
}
