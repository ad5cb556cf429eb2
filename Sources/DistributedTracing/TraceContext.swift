package import ByteBuffers
package import HTTPMessage

/// What a listener does with the trace context of its callers.
package enum EdgePolicy: Equatable, Sendable {
    /// The caller is one of us: its trace goes on, with its sampling decision, its `tracestate` and its `baggage`.
    case `continue`
    /// The caller is a stranger: a new trace begins, with our own sampling decision and nothing of what it sent; the
    /// caller's span is remembered as a link (W3C Trace Context §Denial of Service).
    case restart
}

/// The formats in which a context is sent to upstreams. All are read, whatever is sent.
package struct Propagation: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `traceparent` and `tracestate`.
    package static let traceContext = Propagation(rawValue: 1)
    /// `baggage`; without it, members of callers are not passed on either.
    package static let baggage = Propagation(rawValue: 2)
    /// `b3`, one header.
    package static let b3 = Propagation(rawValue: 4)
    /// `x-b3-traceid`, `x-b3-spanid` and `x-b3-sampled` or `x-b3-flags`.
    package static let b3Multi = Propagation(rawValue: 8)

    /// What is sent unless the configuration says otherwise.
    package static let standard: Propagation = [.traceContext, .baggage]
}

/// The trace that one exchange belongs to, and what is said about it to upstreams.
///
/// `begin` reads the request; from then on `inject` is the only writer of trace fields, once for each attempt at an
/// upstream and each with a span id of its own. A context is reused from exchange to exchange and keeps its memory.
package struct TraceContext: ~Copyable {
    /// The trace.
    package private(set) var traceID = TraceID.none
    /// Whether the trace is sampled and whether its id is random, as it is sent on.
    package private(set) var flags: TraceFlags = []
    /// Our own span: the answering of this request. Its parent is the caller's span, or 0 where the trace begins here.
    package var serverSpan = TraceSpan(kind: .server, spanID: 0, parentID: 0, start: 0)
    /// The caller's span where it named one and a new trace was begun all the same.
    package private(set) var link: SpanReference?

    /// Whether the caller left it to us to decide about sampling.
    package private(set) var decidesSampling = false
    /// Whether the parent of our span is a span of somebody else.
    package var hasRemoteParent: Bool { serverSpan.parentID != 0 }

    private var propagation = Propagation.standard
    private var isDebug = false
    private var state = TraceState()
    private var baggage = Baggage()

    /// A context that has not begun.
    package init() {}

    /// Begins the context of one request: continues the caller's trace, or begins a new one where there is none, where
    /// it is malformed, or where the policy asks for it. No input makes this fail.
    ///
    /// - Parameters:
    ///   - head: The request. B3 headers count only where no valid `traceparent` came.
    ///   - policy: What the listener does with this caller.
    ///   - propagation: The formats to send.
    ///   - sampler: Decides where the caller did not, or has no say.
    ///   - ids: The worker's generator.
    ///   - start: When the exchange began, in nanoseconds of the loop's clock.
    package mutating func begin(
        from head: borrowing RequestHead, policy: EdgePolicy, propagation: Propagation, sampler: Sampler,
        ids: inout IDGenerator, at start: UInt64
    ) {
        self.propagation = propagation
        state.reset()
        baggage.reset()
        link = nil
        isDebug = false
        decidesSampling = false

        let parent = Self.traceParent(of: head)
        let b3 = parent == nil ? Self.b3(of: head) : nil
        switch policy {
        case .restart:
            link = parent.map { SpanReference(traceID: $0.traceID, spanID: $0.spanID) } ?? b3?.parent
            beginRoot(sampling: .deferred, sampler: sampler, ids: &ids, at: start)
        case .continue:
            if let parent {
                traceID = parent.traceID
                flags = parent.flags
                serverSpan = TraceSpan(
                    kind: .server, spanID: ids.nextSpanID(), parentID: parent.spanID, start: start)
                if propagation.contains(.traceContext) {
                    readState(of: head)
                    state.reconcileThreshold(isSampled: flags.contains(.sampled), of: traceID)
                }
            } else if let b3, let parent = b3.parent {
                traceID = parent.traceID
                flags = []
                decide(b3.sampling, sampler)
                serverSpan = TraceSpan(
                    kind: .server, spanID: ids.nextSpanID(), parentID: parent.spanID, start: start)
            } else {
                beginRoot(sampling: b3?.sampling ?? .deferred, sampler: sampler, ids: &ids, at: start)
            }
            if propagation.contains(.baggage) { readBaggage(of: head) }
        }
    }

    /// Decides about sampling once more, where that is ours to decide: for a route with a share of its own. To be called
    /// before anything is sent.
    package mutating func resample(_ sampler: Sampler) {
        guard decidesSampling else { return }
        flags.remove(.sampled)
        state.reset()
        decide(.deferred, sampler)
    }

    /// Takes the trace out of what is sampled, where that is ours to decide: there are too many.
    package mutating func declineSampling() {
        guard decidesSampling else { return }
        flags.remove(.sampled)
        state.reset()
    }

    /// The `tracestate` of the trace, as it is sent on.
    package var stateText: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { state.text }
    }

    /// Notes the decision of a flag for this request; from now on it travels in `baggage`.
    package mutating func noteDecision(flag: borrowing Span<UInt8>, variant: borrowing Span<UInt8>) {
        baggage.appendDecision(key: flag, variant: variant)
    }

    /// Begins the span of one attempt at an upstream, whose id is what that upstream sees as its parent.
    package borrowing func beginAttempt(ids: inout IDGenerator, at start: UInt64) -> TraceSpan {
        TraceSpan(kind: .client, spanID: ids.nextSpanID(), parentID: serverSpan.spanID, start: start)
    }

    /// Appends the header lines that carry the context to an upstream, each with its CRLF. The sampling flag is sent
    /// also where nothing is exported, so that the trace does not break here.
    package borrowing func inject(spanID: UInt64, into buffer: inout ByteBuffer) {
        if propagation.contains(.traceContext) {
            buffer.append("traceparent: ")
            TraceParent(traceID: traceID, spanID: spanID, flags: flags).write(to: &buffer)
            buffer.append("\r\n")
            if state.count > 0 {
                buffer.append("tracestate: ")
                buffer.append(state.text)
                buffer.append("\r\n")
            }
        }
        if propagation.contains(.baggage), !baggage.isEmpty {
            buffer.append("baggage: ")
            baggage.write(to: &buffer)
            buffer.append("\r\n")
        }
        if !propagation.isDisjoint(with: [.b3, .b3Multi]) {
            let b3 = B3(
                parent: SpanReference(traceID: traceID, spanID: spanID),
                sampling: isDebug ? .debug : flags.contains(.sampled) ? .accepted : .denied)
            if propagation.contains(.b3) { b3.writeSingle(to: &buffer) }
            if propagation.contains(.b3Multi) { b3.writeMulti(to: &buffer) }
        }
    }

    // MARK: - Reading the caller's fields

    /// The valid `traceparent` of the request. Two of them are as good as none, because joined they do not parse.
    private static func traceParent(of head: borrowing RequestHead) -> TraceParent? {
        guard let index = head.fields.only(.traceparent) else { return nil }
        return TraceParent(parsing: head.value(index))
    }

    /// The B3 context of the request; the single header wins over the several.
    private static func b3(of head: borrowing RequestHead) -> B3? {
        if let index = head.fields.only(.b3), let context = B3(parsing: head.value(index)) { return context }
        guard var index = head.fields.first(.xB3) else { return nil }
        var fields = B3Fields()
        while true {
            fields.take(name: head.name(index), value: head.value(index))
            guard let next = head.fields.firstIndex(of: .xB3, after: index) else { return fields.context }
            index = next
        }
    }

    private mutating func readState(of head: borrowing RequestHead) {
        var next = head.fields.first(.tracestate)
        while let index = next {
            state.append(field: head.value(index))
            next = head.fields.firstIndex(of: .tracestate, after: index)
        }
        state.limit()
    }

    private mutating func readBaggage(of head: borrowing RequestHead) {
        var next = head.fields.first(.baggage)
        while let index = next {
            baggage.append(field: head.value(index))
            next = head.fields.firstIndex(of: .baggage, after: index)
        }
    }

    // MARK: - Beginning a trace

    private mutating func beginRoot(
        sampling: B3.Sampling, sampler: Sampler, ids: inout IDGenerator, at start: UInt64
    ) {
        traceID = ids.nextTraceID()
        flags = .random
        decide(sampling, sampler)
        serverSpan = TraceSpan(kind: .server, spanID: ids.nextSpanID(), parentID: 0, start: start)
    }

    private mutating func decide(_ sampling: B3.Sampling, _ sampler: Sampler) {
        isDebug = sampling == .debug
        switch sampling {
        case .accepted, .debug: flags.insert(.sampled)
        case .denied: break
        case .deferred:
            decidesSampling = true
            guard sampler.samplesRoot(traceID) else { return }
            flags.insert(.sampled)
            // How many others a sampled trace stands for; only where its id is random, and a share was asked for.
            if flags.contains(.random), sampler.threshold > 0, propagation.contains(.traceContext) {
                state.begin(threshold: sampler.threshold)
            }
        }
    }
}
