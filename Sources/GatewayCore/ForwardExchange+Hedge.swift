import ByteBuffers
import DistributedTracing
import EventLoops
import HTTPListener
import HTTPMessage
import Upstreams

// A second attempt beside a slow first one.

extension ForwardExchange {
    /// Tells of each of `attempts` calls of an upstream, with its number.
    func eachCall(of attempts: Int, _ body: (RecordedAttempt, AttemptNote?, Int) -> Void) {
        if hasEarlier {
            for (number, note) in earlier.enumerated() { body(self, note, number + 1) }
        }
        if !hasHedged { return body(self, nil, attempts) }
        body(self, nil, max(attempts - 1, 1))
        body(hedge, nil, attempts)
    }

    /// Sets the time after which a second attempt is made, where the request is one for that.
    func prepareHedge(_ plan: ForwardPlan) {
        guard hedging == .none, !hasHedged, fallbackReason == nil, method.isSafe, framing == .none, !asksUpgrade,
            let rule = plan.hedge ?? exchange.snapshot?.upstreams[upstream].hedge
        else { return }
        switch rule {
        case .after(let time): hedgePause.schedule(after: time)
        case .percentile:
            guard let time = exchange.worker.headTimes.milliseconds(exchange.route) else { return }
            hedgePause.schedule(after: time)
        }
        hedging = .waiting
    }

    /// The first attempt has taken its time.
    func hedgeIsDue() {
        guard hedging == .waiting else { return }
        hedging = .none
        guard isRunning, answeredWith == 0, mayBeSentElsewhere, let rules = retryRules,
            let snapshot = exchange.snapshot
        else { return }
        hedging = .running
        hasHedged = true
        let plan = snapshot.upstreams[upstream]
        if hedge.begin(exchange, avoiding: endpointNumber, by: rules, plan) {
            exchange.worker.metrics.hedged(at: snapshot.metricNumbers.upstream(upstream))
        } else if hedging == .running {
            hedging = .none
            hasHedged = hedge.span.start > 0
        }
    }

    /// The head of the first attempt's answer has come: whether the second one goes on in its place.
    func hedgeGoesOn(afterStatus status: UInt16, _ plan: ForwardPlan) -> Bool {
        let wasRunning = hedging == .running
        if wasRunning, status >= 500 {
            // The first good answer wins: this one is none.
            hedging = .alone
            stop(.ok)
            return true
        }
        stopHedge(.cancelled, isOutrun: wasRunning)
        return false
    }

    func stopHedge(_ end: AttemptEnd, isOutrun: Bool = false) {
        if hedging == .waiting { hedgePause.cancel() }
        if hedging != .waiting { hedge.stop(end, isOutrun: isOutrun) }
        hedging = .none
    }

    /// The head of the second attempt's answer has come.
    func hedgeAnswered() {
        guard let plan, let snapshot = exchange.snapshot else { return }
        if hedging == .running {
            if hedge.head.status >= 500 || hedge.head.status == 101 {
                hedging = .none
                hedge.stop(.ok)
                return
            }
            exchange.worker.headTimes.note(EventLoop.nanoseconds &- times.startedAt, of: exchange.route)
            stop(.cancelled, isOutrun: true)
        }
        hedging = .won
        exchange.upstream = hedge.upstream
        exchange.endpoint = hedge.endpoint
        exchange.upstreamTime = hedge.times.headAt &- hedge.times.startedAt
        passOnHead(of: hedge, plan, snapshot)
    }

    /// A piece of the second attempt's answer has come.
    func passOn(_ bytes: Span<UInt8>, from hedge: HedgeAttempt) {
        exchange.write(bytes)
        if exchange.outputIsFull { hedge.pause() }
    }

    func hedgeEnded() {
        guard hedging == .won else { return }
        hedging = .none
        exchange.endResponse(trailers: hedge.trailers)
    }

    func hedgeFailed(_ failure: UpstreamFailure) {
        let was = hedging
        hedging = .none
        // The first attempt goes on, unless it has failed, or been given up for this one.
        if was == .alone || was == .won { gaveUp(.failure(failure), AttemptEnd(failure, of: hedge)) }
    }

    /// The client takes more of the answer.
    func resumeAnswer() { if hedging == .won { hedge.resume() } else { resume() } }
}
