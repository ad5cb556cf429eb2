import Testing

@testable import Upstreams

/// The limit against a simple upstream: so many requests are worked on at a time, the others wait in it.
@Suite struct AdaptiveLimitTests {
    /// An upstream with `places` workers of `service` microseconds each, asked by as many clients as there are.
    struct Simulation {
        var places: Double
        var service: Double
        var clients: Double
        var limit: AdaptiveLimit
        var generator: SeededGenerator

        init(places: Double, service: Double, clients: Double, limit: AdaptiveLimit = AdaptiveLimit(), seed: UInt64 = 1)
        {
            (self.places, self.service, self.clients, self.limit) = (places, service, clients, limit)
            generator = SeededGenerator(seed: seed)
        }

        /// Latency by Little's law: beyond the places, each request waits for those before it.
        mutating func run(_ windows: Int) {
            for _ in 0..<windows {
                let inFlight = min(clients, Double(limit.limit))
                let latency = service * max(1, inFlight / places) * Double.random(in: 0.95...1.05, using: &generator)
                limit.windowEnded(
                    LatencyWindow(samples: 100, latency: latency, inFlightPeak: Int(inFlight)), random: generator.next()
                )
            }
        }
    }

    /// It settles where the upstream is busy and the queue short.
    @Test(arguments: [5.0, 20, 100, 400], 1...3 as ClosedRange<UInt64>) func findsWhatTheUpstreamTakes(
        places: Double, seed: UInt64
    ) {
        var simulation = Simulation(places: places, service: 20_000, clients: 5_000, seed: seed)
        simulation.run(2_000)
        for _ in 0..<400 {
            simulation.run(1)
            let limit = Double(simulation.limit.limit)
            guard !simulation.limit.isMeasuring else { continue }
            holds(limit >= places && limit <= places * 2.2 + 12, "\(limit) for \(places)")
        }
        #expect(abs(simulation.limit.baseline / 20_000 - 1) < 0.11)
    }

    /// The upstream becomes slower in itself: after a new measurement of the baseline the limit is as high as before.
    @Test(arguments: 1...3 as ClosedRange<UInt64>) func learnsThatAnUpstreamHasBecomeSlower(seed: UInt64) {
        var simulation = Simulation(places: 50, service: 10_000, clients: 5_000, seed: seed)
        simulation.run(1_000)
        simulation.service = 60_000
        simulation.run(60)
        let sunk = simulation.limit.limit
        simulation.run(1_500)
        #expect(sunk < 50)
        #expect(simulation.limit.limit >= 40, "\(simulation.limit)")
        #expect(abs(simulation.limit.baseline / 60_000 - 1) < 0.1)
    }

    /// An overload that lasts does not become the measure of things.
    @Test(arguments: 1...3 as ClosedRange<UInt64>) func doesNotGetUsedToAnOverload(seed: UInt64) {
        var simulation = Simulation(places: 30, service: 20_000, clients: 100_000, seed: seed)
        simulation.run(20_000)
        #expect(simulation.limit.baseline < 22_000)
        #expect(simulation.limit.limit <= 78)
    }

    /// The upstream loses most of its places: the limit follows at once.
    @Test func followsALossAtOnce() {
        var simulation = Simulation(places: 200, service: 20_000, clients: 5_000)
        simulation.run(1_000)
        #expect(simulation.limit.limit >= 200)
        simulation.places = 20
        simulation.run(30)
        #expect(simulation.limit.limit <= 56)
    }

    @Test func aLimitThatIsNotUsedDoesNotGrow() {
        var simulation = Simulation(places: 1_000, service: 20_000, clients: 10)
        simulation.run(5_000)
        #expect(simulation.limit.limit == 32)
    }

    @Test func windowsWithoutSamplesChangeNothing() {
        var limit = AdaptiveLimit()
        let before = limit
        for window in [
            LatencyWindow(samples: 9, latency: 1, inFlightPeak: 500),
            LatencyWindow(samples: 100, latency: .nan, inFlightPeak: 500),
            LatencyWindow(samples: 100, latency: 0, inFlightPeak: 500),
            LatencyWindow(samples: 100, latency: .infinity, inFlightPeak: 500),
            LatencyWindow(samples: -1, latency: -1, inFlightPeak: -1),
        ] { limit.windowEnded(window, random: 1) }
        #expect(limit == before)
    }

    /// One slow window is not an overload.
    @Test func oneSlowWindowCostsLittle() {
        var simulation = Simulation(places: 100, service: 20_000, clients: 5_000)
        simulation.run(100)
        let before = simulation.limit.limit
        simulation.limit.windowEnded(
            LatencyWindow(samples: 100, latency: 10_000_000, inFlightPeak: before), random: 0)
        #expect(simulation.limit.limit >= before * 9 / 10 - 1)
    }

    /// While it measures, it lets half through, never less than the least.
    @Test func measuresNowAndThen() {
        var limit = AdaptiveLimit(policy: .init(least: 4, refreshAfter: 10, refreshWindows: 2))
        var phases: [Bool] = []
        for _ in 0..<200 {
            let before = limit.limit
            limit.windowEnded(LatencyWindow(samples: 100, latency: 500, inFlightPeak: before), random: 1 << 63)
            phases.append(limit.isMeasuring)
            #expect(limit.limit >= 4)
        }
        #expect(phases.prefix(15).map { $0 ? 1 : 0 } == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0])
        #expect(phases.count { $0 } > 20)
    }

    @Test func staysWithinItsBoundsWhateverComes() {
        var generator = SeededGenerator(seed: 31)
        for _ in 0..<40 {
            let least = Int.random(in: -5...50, using: &generator)
            let most = Int.random(in: -5...500, using: &generator)
            var limit = AdaptiveLimit(
                policy: .init(
                    least: least, most: most, initial: Int.random(in: -10...1_000, using: &generator),
                    tolerance: [Double.nan, 0, 1, 2, .infinity].randomElement(using: &generator) ?? 1,
                    smoothing: [Double.nan, -1, 0.5, 1, 7].randomElement(using: &generator) ?? 1,
                    leastSamples: 0, refreshAfter: Int.random(in: -1...20, using: &generator),
                    refreshWindows: Int.random(in: -1...5, using: &generator)))
            for _ in 0..<5_000 {
                limit.windowEnded(
                    LatencyWindow(
                        samples: Int.random(in: 0...20, using: &generator),
                        latency: Double.random(in: 1...1_000_000, using: &generator),
                        inFlightPeak: Int.random(in: -10...10_000, using: &generator)), random: generator.next())
                holds(limit.limit >= max(least, 1) && limit.limit <= max(most, least, 1), "\(limit)")
            }
        }
    }

    /// Answers of a tenth of a millisecond that wait for some others are no overload; seconds are.
    @Test func aFewMillisecondsAreNoOverload() {
        var limit = AdaptiveLimit(policy: .init(least: 10, initial: 100, leastGap: 10_000))
        limit.windowEnded(LatencyWindow(samples: 100, latency: 100, inFlightPeak: 64), random: 1)
        for round in 0..<2_000 {
            let window = LatencyWindow(samples: 100, latency: 3_000, inFlightPeak: 64)
            limit.windowEnded(window, random: LoadBalancer.mixed(UInt64(round)))
            #expect(limit.limit >= 100 && !limit.isMeasuring, "\(round)")
        }
        // One that takes no more than 40 at a time is found out all the same.
        var limits: [Int] = []
        for round in 0..<400 {
            let latency = limit.limit > 40 ? 2_000_000.0 : 1_000
            let window = LatencyWindow(samples: 100, latency: latency, inFlightPeak: limit.limit)
            limit.windowEnded(window, random: LoadBalancer.mixed(UInt64(round)))
            limits.append(limit.limit)
        }
        let last = limits.suffix(200)
        #expect(last.max() ?? 0 < 80 && last.min() ?? 0 < 41, "\(last)")
    }
}
