import ByteBuffers
import DistributedTracing
import HTTPMessage

/// The lines of a request's head that carry its trace.
enum TraceFuzz {
    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        try checkValue(input)
        let start = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8)
        var parser = HTTP1RequestParser(limits: HTTP1RequestFuzz.wideLimits)
        var head = RequestHead()
        let bytes = start + input + Array("\r\n\r\n".utf8)
        guard case .complete = parser.consume(bytes.span, into: &head) else { return }
        for index in 0..<head.fields.count { try checkValue(Array(copying: head.value(index))) }
        let all: Propagation = [.traceContext, .baggage, .b3, .b3Multi]
        for propagation in [Propagation.standard, all, [.b3], [.b3Multi], [.b3Multi, .baggage]] {
            for policy in [EdgePolicy.continue, .restart] {
                try checkContext(head, policy, propagation, decisions: Array(input.prefix(40)))
            }
        }
    }

    // MARK: - Single values

    private static func checkValue(_ value: [UInt8]) throws(BrokenProperty) {
        if let parent = TraceParent(parsing: value.span) {
            try require(!parent.traceID.isZero && parent.spanID != 0, "an id of zero is accepted")
            var out = ByteBuffer()
            parent.write(to: &out)
            try requireSame(TraceParent(parsing: out.span), parent, "a traceparent that is written reads otherwise")
            try require(out.count == TraceParent.length, "a traceparent has another length")
        }
        if let b3 = B3(parsing: value.span) {
            var out = ByteBuffer()
            b3.writeSingle(to: &out)
            if b3.parent == nil {
                try require(out.isEmpty, "b3 without a parent is written")
            } else {
                let again = B3(parsing: out.span.extracting("b3: ".utf8.count..<(out.count - 2)))
                try requireSame(again, b3, "b3 that is written reads otherwise")
            }
        }
        var state = TraceState()
        state.append(field: value.span)
        state.limit(to: 512)
        let text = Array(copying: state.text)
        try require(text.count <= 512 && state.count <= TraceState.maximumMembers, "tracestate is longer than allowed")
        try require(state.count == (text.isEmpty ? 0 : text.split(separator: 0x2C).count), "the count is another")
        var again = TraceState()
        again.append(field: text.span)
        try requireSame(Array(copying: again.text), text, "a tracestate that is written reads otherwise")
        var baggage = Baggage()
        baggage.append(field: value.span)
        let list = written(baggage)
        try require(list.count <= Baggage.maximumSize, "baggage is longer than allowed")
        try require(list.isEmpty == baggage.isEmpty, "baggage that is not empty is")
        var repeated = Baggage()
        repeated.append(field: list.span)
        try requireSame(written(repeated), list, "baggage that is written reads otherwise")
    }

    private static func written(_ baggage: borrowing Baggage) -> [UInt8] {
        var out = ByteBuffer()
        baggage.write(to: &out)
        return Array(copying: out)
    }

    // MARK: - Whole contexts

    private static let known: Set<String> = [
        "host", "traceparent", "tracestate", "baggage", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled",
        "x-b3-flags",
    ]

    private static func checkContext(
        _ head: borrowing RequestHead, _ policy: EdgePolicy, _ propagation: Propagation, decisions: [UInt8]
    ) throws(BrokenProperty) {
        var ids = IDGenerator(seed: 1, 2, 3, 4)
        let sampler = Sampler(ratio: 0.5)
        var context = TraceContext()
        context.begin(
            from: head, policy: policy, propagation: propagation, sampler: sampler, ids: &ids, at: 5)
        try require(!context.traceID.isZero && context.serverSpan.spanID != 0, "there is no trace")
        let attempt = context.beginAttempt(ids: &ids, at: 6)
        let first = try injected(context, attempt.spanID)
        if policy == .restart {
            try require(context.serverSpan.parentID == 0, "a stranger's span is the parent")
            try require(!first.contains { $0.key == "tracestate" || $0.key == "baggage" }, "a stranger's words go on")
        }
        // The next hop, if it believes us, is in the same trace and says the same.
        var next = try reparsed(first)
        var following = TraceContext()
        following.begin(
            from: next, policy: .continue, propagation: propagation, sampler: sampler, ids: &ids, at: 7)
        try require(
            following.traceID == context.traceID && following.serverSpan.parentID == attempt.spanID,
            "the trace breaks between two hops")
        try require(
            following.flags.contains(.sampled) == context.flags.contains(.sampled), "the decision is lost on the way")
        let second = try injected(following, attempt.spanID)
        // B3 counts only where there is no traceparent, which does not tell debugging from sampling.
        let isLossy = propagation.contains(.traceContext)
        try requireSame(
            isLossy ? second.map(withoutDebug) : second, isLossy ? first.map(withoutDebug) : first,
            "the second hop says something else")
        // Whatever a flag and its variant are called, they stay one member.
        let middle = decisions.count / 2
        context.noteDecision(
            flag: decisions.span.extracting(0..<middle), variant: decisions.span.extracting(middle..<decisions.count))
        let decided = try injected(context, attempt.spanID)
        next = try reparsed(decided)
        if propagation.contains(.baggage) {
            let list = decided.last { $0.key == "baggage" }?.value ?? []
            try require(list.starts(with: "feature_flag.".utf8), "a decision is not in the baggage")
            let others = first.last { $0.key == "baggage" }?.value ?? []
            let members = list.split(separator: 0x2C).count
            let expected = 1 + others.split(separator: 0x2C).count
            try require(
                members <= Baggage.maximumMembers && members <= expected && list.count <= Baggage.maximumSize
                    && (members == expected || list.count + others.count > Baggage.maximumSize / 2
                        || expected > Baggage.maximumMembers),
                "a decision changes the baggage of others")
        }
    }

    /// A field of B3 that asks for debugging, as one that asks for sampling.
    private static func withoutDebug(_ field: ReadField) -> ReadField {
        var field = field
        if field.key == "b3", field.value.last == UInt8(ascii: "d") { field.value[field.value.count - 1] = 0x31 }
        if field.key == "x-b3-flags" { field.name = Array("x-b3-sampled".utf8) }
        return field
    }

    /// The fields that a context sends; each as a line of its own, with nothing of the caller's that could end it.
    private static func injected(
        _ context: borrowing TraceContext, _ spanID: UInt64
    ) throws(BrokenProperty) -> [ReadField] {
        var out = ByteBuffer()
        context.inject(spanID: spanID, into: &out)
        try require(out.count <= TraceState.maximumSize + Baggage.maximumSize + 512, "the fields are too long")
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) + Array(copying: out) + Array("\r\n".utf8)
        let fields = try HTTP1RequestFuzz.readOne(bytes, "a trace").fields
        var lines = 0
        for byte in Array(copying: out) where byte == UInt8(ascii: "\n") { lines += 1 }
        try require(lines + 1 == fields.count, "a field ends in its middle")
        try require(Set(fields.map(\.key)).isSubset(of: known), "a field that is not ours: \(fields.map(\.key))")
        try require(Set(fields.map(\.key)).count == fields.count, "a field stands twice")
        return fields
    }

    private static func reparsed(_ fields: [ReadField]) throws(BrokenProperty) -> RequestHead {
        var bytes = Array("GET / HTTP/1.1\r\n".utf8)
        for field in fields { bytes += field.name + Array(": ".utf8) + field.value + Array("\r\n".utf8) }
        bytes += Array("\r\n".utf8)
        var parser = HTTP1RequestParser(limits: HTTP1RequestFuzz.wideLimits)
        var head = RequestHead()
        guard case .complete = parser.consume(bytes.span, into: &head) else {
            throw BrokenProperty("the fields of a trace are no head")
        }
        return head
    }
}
