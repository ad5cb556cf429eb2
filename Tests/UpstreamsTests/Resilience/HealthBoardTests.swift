import Testing

@testable import Upstreams

/// What checks tell the board that all workers look at.
@Suite struct HealthBoardTests {
    private let changes = UpstreamChanges {}
    private let board: UpstreamBoard
    private let first: EndpointBoard
    private let rules: UpstreamRules

    init() {
        board = UpstreamBoard(name: "shop", changes: changes)
        board.use(
            (1...2).map { .init(address: EndpointAddress(isSecure: false, host: "10.0.0.\($0)", port: 80)) }, at: 0)
        first = board.current[0]
        var rules = UpstreamRules()
        rules.outlier = OutlierDetector()
        self.rules = rules
    }

    private func eject(at now: UInt64) {
        for _ in 0..<5 {
            board.record(
                OutlierOutcome(status: 500), milliseconds: 1, BreakerTickets(), of: first, at: now, random: 0, by: rules
            )
        }
    }

    @Test func anySuccessTakesAnEjectedEndpointBack() {
        board.note(.well, .healthy, of: first, at: 1)
        #expect(changes.take().changes == [.health(upstream: "shop", endpoint: "10.0.0.1:80", .healthy, .well)])
        eject(at: 1_000)
        #expect(!first.isAvailable(at: 1_001, by: rules))
        _ = changes.take()
        board.note(.failed(.timeout), .healthy, of: first, at: 1_002)
        #expect(!first.isAvailable(at: 1_003, by: rules), "a failed check takes nobody back")
        board.note(.well, .healthy, of: first, at: 2_000)
        #expect(first.isAvailable(at: 2_001, by: rules))
        #expect(changes.take().changes == [.returned(upstream: "shop", endpoint: "10.0.0.1:80")])
        // It comes back slowly, and what was counted before does not throw it out again.
        #expect(first.readiness(at: 2_001, by: SlowStart(window: 10_000)) < SlowStart.whole)
        board.record(
            OutlierOutcome(status: 500), milliseconds: 1, BreakerTickets(), of: first, at: 2_002, random: 0, by: rules)
        #expect(first.isAvailable(at: 2_003, by: rules))
    }

    @Test func changesOfOpinionAreToldOnceAndWhy() {
        for _ in 0..<3 { board.note(.status(500), .unhealthy, of: first, at: 1) }
        #expect(first.isUnhealthy)
        #expect(
            changes.take().changes == [.health(upstream: "shop", endpoint: "10.0.0.1:80", .unhealthy, .status(500))])
        eject(at: 2)
        _ = changes.take()
        board.note(.well, .healthy, of: first, at: 3)
        #expect(
            changes.take().changes == [
                .health(upstream: "shop", endpoint: "10.0.0.1:80", .healthy, .well),
                .returned(upstream: "shop", endpoint: "10.0.0.1:80"),
            ])
        #expect(first.isAvailable(at: 4, by: rules))
    }

    @Test func whatIsCheckedNoMoreGetsRequests() {
        board.note(.status(500), .unhealthy, of: first, at: 1)
        #expect(!first.isAvailable(at: 2, by: rules))
        first.forgetHealth()
        #expect(first.isAvailable(at: 2, by: rules) && first.healthState == .unknown)
    }

    @Test func findingsHaveWords() {
        let words = [
            HealthFinding.well, .failed(.connectFailed), .status(404), .missingText, .notServing(2), .callFailed(5),
            .callFailed(nil),
        ].map(\.text)
        #expect(
            words == [
                "well", "connect_failed", "status 404", "the answer lacks the text", "not serving (2)",
                "grpc-status 5", "no grpc-status",
            ])
    }
}
