import EventLoops

/// What stands in for the endpoints of an upstream as long as no address of them is known: requests wait here, within the time
/// that they have to connect, and go on to the endpoints when there are some.
final class UnresolvedPool: EndpointPool, LoopClient {
    private var successors: [(endpoint: Endpoint, number: Int)] = []
    private var next = 0
    private var later: LaterWork<UnresolvedPool>?

    override func start(_ attempt: UpstreamAttempt, fresh: Bool = false) {
        if !successors.isEmpty { return pass(attempt) }
        if address.isWithoutAddress { return attempt.fail(.dnsFailed) }
        limitWait(of: attempt)
        wait(attempt)
    }

    /// Whoever waits does not wait for somebody else's connection.
    override var promised: Int { .max }

    /// Sends all that wait to `endpoints`, when all of the upstreams are in place, and whoever comes yet.
    override func handOver(to endpoints: [Endpoint]) {
        successors = endpoints.enumerated().compactMap { number, endpoint in
            endpoint.bounds === bounds ? (endpoint, number) : nil
        }
        let work = LaterWork(self)
        later = work
        loop.atEndOfTurn(work)
    }

    func workLater() {
        guard !successors.isEmpty else { return }
        while let attempt = nextWaiting() { pass(attempt) }
    }

    func timeIsOver() {}

    override func retire() { isRetired = true }

    private func pass(_ attempt: UpstreamAttempt) {
        let (endpoint, number) = successors[next % successors.count]
        next += 1
        let deadline = attempt.waitDeadline
        attempt.move(to: endpoint, number: number)
        endpoint.pool.start(attempt)
        endpoint.pool.shortenWait(of: attempt, to: deadline)
    }
}
