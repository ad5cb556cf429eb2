import ByteBuffers
import HTTPMessage
import Testing

@testable import DistributedTracing

struct TraceContextTests {
    static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    static let span = "00f067aa0ba902b7"
    static let traceID = TraceID(high: 0x4bf9_2f35_77b3_4da6, low: 0xa3ce_929d_0e0e_4736)

    /// What one request led to.
    struct Outcome {
        var traceID: TraceID
        var flags: TraceFlags
        var server: TraceSpan
        var link: SpanReference?
        var lines: [String]

        func value(_ name: String) -> String? {
            lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
        }
    }

    func outcome(
        _ lines: [String], policy: EdgePolicy = .continue, propagation: Propagation = .standard, ratio: Double = 1,
        decisions: [(String, String)] = []
    ) throws -> Outcome {
        var context = TraceContext()
        var ids = IDGenerator(seed: 11, 12, 13, 14)
        // A used context must not show through.
        try withHead([
            "traceparent: 00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-03", "tracestate: old=1",
            "baggage: old=1",
        ]) {
            context.begin(
                from: $0, policy: .continue, propagation: .standard, sampler: Sampler(ratio: 1), ids: &ids, at: 1)
        }
        try withHead(lines) {
            context.begin(
                from: $0, policy: policy, propagation: propagation, sampler: Sampler(ratio: ratio), ids: &ids, at: 42)
        }
        for (flag, variant) in decisions {
            context.noteDecision(flag: Array(flag.utf8).span, variant: Array(variant.utf8).span)
        }
        var buffer = ByteBuffer()
        context.inject(spanID: 0x1122_3344_5566_7788, into: &buffer)
        let text = buffer.text
        #expect(text.isEmpty || text.hasSuffix("\r\n"))
        return Outcome(
            traceID: context.traceID, flags: context.flags, server: context.serverSpan, link: context.link,
            lines: text.split(separator: "\r\n").map(String.init))
    }

    @Test("continue: same trace, our own parent id, the caller's flags, state and baggage")
    func continues() throws {
        let result = try outcome(
            [
                "TraceParent: 00-\(Self.trace)-\(Self.span)-01", "tracestate: a=1,b=2", "Tracestate: c=3",
                "baggage: k=v,feature_flag.x=on",
            ],
            ratio: 0, decisions: [("x", "off")])
        #expect(result.traceID == Self.traceID)
        #expect(result.server.parentID == 0x00f0_67aa_0ba9_02b7)
        #expect(result.server.spanID != 0 && result.server.spanID != result.server.parentID)
        #expect(result.server.start == 42 && result.server.kind == .server)
        #expect(result.link == nil)
        #expect(
            result.lines == [
                "traceparent: 00-\(Self.trace)-1122334455667788-01", "tracestate: a=1,b=2,c=3",
                "baggage: feature_flag.x=off,k=v",
            ])
    }

    @Test(
        "flags: sampled and random are copied as they came, unknown ones are not sent",
        arguments: [
            ("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("f8", "00"),
        ])
    func copiesFlags(_ received: String, _ sent: String) throws {
        let result = try outcome(["traceparent: 00-\(Self.trace)-\(Self.span)-\(received)"])
        #expect(result.value("traceparent") == "00-\(Self.trace)-1122334455667788-\(sent)")
    }

    @Test(
        "no context: a new trace with the random flag, sampled by our ratio; a lone tracestate goes",
        arguments: [
            (1.0, "03"), (0.0, "02"),
        ])
    func begins(_ ratio: Double, _ flags: String) throws {
        let result = try outcome(["tracestate: a=1"], ratio: ratio)
        #expect(!result.traceID.isZero && result.traceID != Self.traceID)
        #expect(result.server.parentID == 0 && result.link == nil)
        #expect(result.value("traceparent")?.suffix(3) == "-\(flags)")
        #expect(result.value("tracestate") == nil && result.value("baggage") == nil)
    }

    @Test(
        "a broken traceparent restarts the trace and takes tracestate away, never the request",
        arguments: [
            ["traceparent: 00-\(trace)-\(span)-01-x"], ["traceparent: ff-\(trace)-\(span)-01"],
            ["traceparent: nonsense"],
            ["traceparent:"], ["traceparent: 00-\(trace)-\(span)-01", "traceparent: 00-\(trace)-\(span)-01"],
            ["traceparent: 00-\(trace)-\(span)-01, 00-\(trace)-\(span)-01"],
        ])
    func restartsOnMalformed(_ lines: [String]) throws {
        let result = try outcome(lines + ["tracestate: a=1", "baggage: k=v"])
        #expect(result.traceID != Self.traceID && !result.traceID.isZero)
        #expect(result.server.parentID == 0)
        #expect(result.value("tracestate") == nil)
        #expect(result.value("baggage") == "k=v")
    }

    @Test("a broken tracestate does not touch traceparent")
    func brokenState() throws {
        let result = try outcome(["traceparent: 00-\(Self.trace)-\(Self.span)-01", "tracestate: a=1,B=2"])
        #expect(result.lines == ["traceparent: 00-\(Self.trace)-1122334455667788-01"])
    }

    @Test(
        "restart: a new trace and our own sampling, whatever the caller says; its span is a link",
        arguments: [
            ("01", 0.0, "02"), ("00", 1.0, "03"),
        ])
    func restarts(_ received: String, _ ratio: Double, _ sent: String) throws {
        let result = try outcome(
            ["traceparent: 00-\(Self.trace)-\(Self.span)-\(received)", "tracestate: a=1", "baggage: k=v"],
            policy: .restart, ratio: ratio, decisions: [("x", "on")])
        #expect(result.traceID != Self.traceID)
        #expect(result.server.parentID == 0)
        #expect(result.link == SpanReference(traceID: Self.traceID, spanID: 0x00f0_67aa_0ba9_02b7))
        #expect(result.value("traceparent")?.suffix(3) == "-\(sent)")
        #expect(result.value("tracestate") == nil)
        #expect(result.value("baggage") == "feature_flag.x=on")
    }

    @Test("restart without a valid context, or with B3's sampling alone, has no link and no say")
    func restartsAlone() throws {
        #expect(try outcome(["traceparent: bad"], policy: .restart).link == nil)
        #expect(try outcome(["b3: d"], policy: .restart, ratio: 0).flags == .random)
        #expect(try outcome(["b3: \(Self.trace)-\(Self.span)-d"], policy: .restart).link?.traceID == Self.traceID)
    }

    @Test(
        "B3 counts where no valid traceparent came",
        arguments: [
            (["b3: \(trace)-\(span)-1"], "01"), (["b3: \(trace)-\(span)-0"], "00"), (["b3: \(trace)-\(span)-d"], "01"),
            (["traceparent: bad", "b3: \(trace)-\(span)-1"], "01"),
            (["X-B3-TraceId: \(trace)", "X-B3-SpanId: \(span)", "X-B3-Sampled: 1"], "01"),
            (
                [
                    "b3: \(trace)-\(span)-1", "X-B3-TraceId: 1111111111111111", "X-B3-SpanId: \(span)",
                    "X-B3-Sampled: 0",
                ], "01"
            ),
            (["b3: broken", "X-B3-TraceId: \(trace)", "X-B3-SpanId: \(span)", "X-B3-Sampled: 0"], "00"),
        ])
    func continuesB3(_ lines: [String], _ flags: String) throws {
        let result = try outcome(lines + ["tracestate: a=1"], ratio: 0)
        #expect(result.traceID == Self.traceID)
        #expect(result.server.parentID == 0x00f0_67aa_0ba9_02b7)
        #expect(result.lines == ["traceparent: 00-\(Self.trace)-1122334455667788-\(flags)"])
    }

    @Test("traceparent wins over B3")
    func traceparentWins() throws {
        let result = try outcome(
            ["b3: 1111111111111111-2222222222222222-0", "traceparent: 00-\(Self.trace)-\(Self.span)-01"])
        #expect(result.value("traceparent") == "00-\(Self.trace)-1122334455667788-01")
    }

    @Test("B3 of 64 bits: padded, not random; without a decision ours counts", arguments: [(1.0, "01"), (0.0, "00")])
    func narrowB3(_ ratio: Double, _ flags: String) throws {
        let result = try outcome(["b3: a3ce929d0e0e4736-\(Self.span)"], ratio: ratio)
        #expect(result.value("traceparent") == "00-0000000000000000a3ce929d0e0e4736-1122334455667788-\(flags)")
    }

    @Test(
        "B3's decision alone decides over a new trace",
        arguments: [("b3: 0", 1.0, "02"), ("b3: 1", 0.0, "03"), ("x-b3-sampled: 1", 0.0, "03")])
    func decisionAlone(_ line: String, _ ratio: Double, _ flags: String) throws {
        let result = try outcome([line], ratio: ratio)
        #expect(result.server.parentID == 0 && result.traceID.high != 0)
        #expect(result.value("traceparent")?.suffix(3) == "-\(flags)")
    }

    @Test("only the configured formats are sent")
    func formats() throws {
        let lines = ["traceparent: 00-\(Self.trace)-\(Self.span)-01", "tracestate: a=1", "baggage: k=v"]
        #expect(try outcome(lines, propagation: []).lines == [])
        #expect(try outcome(lines, propagation: .traceContext).lines.count == 2)
        #expect(
            try outcome(lines, propagation: .baggage, decisions: [("f", "on")]).lines == [
                "baggage: feature_flag.f=on,k=v"
            ])
        #expect(try outcome(lines, propagation: .b3).lines == ["b3: \(Self.trace)-1122334455667788-1"])
        #expect(
            try outcome(lines, propagation: [.b3Multi]).lines == [
                "x-b3-traceid: \(Self.trace)", "x-b3-spanid: 1122334455667788", "x-b3-sampled: 1",
            ])
        #expect(
            try outcome(["b3: \(Self.trace)-\(Self.span)-d"], propagation: [.traceContext, .b3]).lines == [
                "traceparent: 00-\(Self.trace)-1122334455667788-01", "b3: \(Self.trace)-1122334455667788-d",
            ])
    }

    @Test("each attempt has a span of its own below the server's")
    func attempts() throws {
        var context = TraceContext()
        var ids = IDGenerator(seed: 1, 2, 3, 4)
        try withHead([]) {
            context.begin(
                from: $0, policy: .restart, propagation: .standard, sampler: Sampler(ratio: 1), ids: &ids, at: 10)
        }
        var first = context.beginAttempt(ids: &ids, at: 20)
        let second = context.beginAttempt(ids: &ids, at: 30)
        #expect(Set([context.serverSpan.spanID, first.spanID, second.spanID]).count == 3)
        #expect(first.parentID == context.serverSpan.spanID && second.parentID == context.serverSpan.spanID)
        #expect(first.kind == .client && first.duration == 0)
        first.finish(at: 45, status: 503)
        #expect(first.duration == 25 && first.status == 503)
        first.finish(at: 15, status: 0)
        #expect(first.duration == 0)
    }
}
