/// Which requests are recorded (OpenTelemetry specification, trace SDK §Sampling).
struct TraceSampler: Equatable, Sendable {
    /// Whether a caller's decision is kept, whatever the share is.
    var followsParent: Bool
    /// The least value of a trace id's last 56 bits that is sampled; 2^56 samples nothing. The gateway takes a share by
    /// the same number, so that with equal shares both decide alike.
    private(set) var threshold: UInt64

    /// - Parameter share: of all traces, from 0 to 1.
    init(followsParent: Bool, share: Double) {
        self.followsParent = followsParent
        let scale = Double(1 << 56 as UInt64)
        threshold = share >= 1 ? 0 : share > 0 ? UInt64(((1 - share) * scale).rounded()) : 1 << 56
    }

    /// What holds where nobody says anything: the caller's decision, and each trace that begins here.
    static let standard = TraceSampler(followsParent: true, share: 1)

    /// Whether a request is recorded that is part of `trace`, and has `parent` if a caller began it.
    func samples(_ trace: TraceIdentifier, parent: TraceParent?) -> Bool {
        if followsParent, let parent { return parent.isSampled }
        return trace.low & (1 << 56 - 1) >= threshold
    }
}
