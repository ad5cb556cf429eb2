import Synchronization

/// What all workers know together of one endpoint. Every request touches it, so that it is made of single words.
package final class EndpointBoard: Sendable {
    /// Host and port.
    package let text: String
    private let underWay = Atomic<Int>(0)
    private let failures = Atomic<UInt64>(0)
    private let ejection = Atomic<UInt64>(0)
    private let health = Atomic<UInt8>(0)
    private let servesSince: Atomic<UInt64>
    let breaker = SharedBreaker()
    // What the present interval of the detector has seen.
    private let total = Atomic<Int>(0)
    private let failed = Atomic<Int>(0)
    private let milliseconds = Atomic<Int>(0)

    /// An endpoint that serves from `since` on, in milliseconds; 0: it always has.
    init(_ text: String, servesSince since: UInt64) {
        self.text = text
        servesSince = Atomic(since)
    }

    // MARK: - Requests

    /// Requests that are under way from all workers.
    package var active: Int { underWay.load(ordering: .relaxed) }

    func attemptBegan() { underWay.add(1, ordering: .relaxed) }

    func attemptEnded() { underWay.subtract(1, ordering: .relaxed) }

    /// Takes what came of an attempt.
    ///
    /// - Returns: why the endpoint should be ejected now, if it should.
    func record(_ outcome: OutlierOutcome, milliseconds time: UInt64, by detector: OutlierDetector) -> OutlierReason? {
        if outcome == .local { return nil }
        total.add(1, ordering: .relaxed)
        milliseconds.add(Int(clamping: time), ordering: .relaxed)
        if outcome.isFailure { failed.add(1, ordering: .relaxed) }
        var word = failures.load(ordering: .relaxed)
        while true {
            var record = OutlierRecord(word: word)
            let reason = record.record(outcome, by: detector)
            if record.word == word { return reason }
            let (done, current) = failures.weakCompareExchange(
                expected: word, desired: record.word, ordering: .relaxed)
            if done { return reason }
            word = current
        }
    }

    // MARK: - Whether it serves

    /// Whether an active check has found it unwell.
    package var isUnhealthy: Bool { health.load(ordering: .relaxed) == HealthRecord.State.unhealthy.rawValue }

    /// What active checks have found.
    package var healthState: HealthRecord.State {
        HealthRecord.State(rawValue: health.load(ordering: .relaxed)) ?? .unknown
    }

    /// How long it stays ejected yet, in milliseconds; nil if it is not.
    package func ejectionLeft(at now: UInt64) -> UInt64? {
        let word = ejection.load(ordering: .relaxed)
        return word == 0 ? nil : EjectionRecord(word: word).timeLeft(now: now)
    }

    /// Whether it should get requests.
    package func isAvailable(at now: UInt64, by rules: UpstreamRules) -> Bool {
        if isUnhealthy { return false }
        let word = ejection.load(ordering: .relaxed)
        if word != 0, EjectionRecord(word: word).isEjected(now: now) { return false }
        guard let breaker = rules.endpointBreaker else { return true }
        return self.breaker.wouldAdmit(at: now, by: breaker)
    }

    /// How far it is warm.
    func readiness(at now: UInt64, by slowStart: SlowStart) -> Int {
        let since = servesSince.load(ordering: .relaxed)
        return since == 0 ? SlowStart.whole : slowStart.readiness(since: since, now: now)
    }

    /// Takes what an active check has found, and what is thought of the endpoint now.
    ///
    /// - Returns: whether it was ejected, and is taken back.
    func note(_ state: HealthRecord.State, isWell: Bool, at now: UInt64) -> Bool {
        // A check that succeeds says more than failures of a while ago.
        let isReadmitted = isWell && ejection.load(ordering: .relaxed) != 0 && change { $0.readmit(now: now) }
        if isReadmitted || (isUnhealthy && state == .healthy) { servesSince.store(now, ordering: .relaxed) }
        health.store(state.rawValue, ordering: .relaxed)
        return isReadmitted
    }

    /// It is checked no more: what checks have found is forgotten.
    package func forgetHealth() { health.store(HealthRecord.State.unknown.rawValue, ordering: .relaxed) }

    // MARK: - Ejections; the upstream's lock is held

    /// Ejects it; for how many milliseconds, nil if it is out already.
    func eject(at now: UInt64, by detector: OutlierDetector) -> UInt64? {
        guard let time = change({ $0.eject(now: now, by: detector) }) else { return nil }
        servesSince.store(now &+ time, ordering: .relaxed)
        return time
    }

    /// Ends an interval of the detector.
    ///
    /// - Returns: What it has seen, and whether the endpoint has come back.
    func endInterval(at now: UInt64) -> (figures: OutlierDetector.EndpointFigures, hasReturned: Bool) {
        let all = total.exchange(0, ordering: .relaxed)
        let bad = failed.exchange(0, ordering: .relaxed)
        let time = milliseconds.exchange(0, ordering: .relaxed)
        let change = change { $0.intervalEnded(now: now, hadFailures: bad > 0) }
        let latency = all > 0 ? Double(time) * 1_000 / Double(all) : nil
        let isEjected = EjectionRecord(word: ejection.load(ordering: .relaxed)).isEjected(now: now)
        return (.init(total: all, failed: bad, latency: latency, isEjected: isEjected), change == .returned)
    }

    private func change<Result>(_ step: (inout EjectionRecord) -> Result) -> Result {
        var word = ejection.load(ordering: .relaxed)
        while true {
            var next = EjectionRecord(word: word)
            let result = step(&next)
            if next.word == word { return result }
            let (done, current) = ejection.weakCompareExchange(
                expected: word, desired: next.word, ordering: .relaxed)
            if done { return result }
            word = current
        }
    }
}
