import ByteBuffers
import Testing

@testable import DistributedTracing

/// openzipkin/b3-propagation, README.
struct B3Tests {
    static let wide = TraceID(high: 0x80f1_98ee_5634_3ba8, low: 0x64fe_8b2a_57d3_eff7)
    static let narrow = TraceID(high: 0, low: 0x64fe_8b2a_57d3_eff7)
    static let span: UInt64 = 0xe457_b5a2_e4d8_6bd1
    static let wideText = "80f198ee56343ba864fe8b2a57d3eff7"
    static let narrowText = "64fe8b2a57d3eff7"
    static let spanText = "e457b5a2e4d86bd1"

    struct Single: Sendable {
        var value: String
        var context: B3?
    }

    @Test(arguments: [
        Single(
            value: "\(wideText)-\(spanText)-1-05e3ac9a4f6e3b90",
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .accepted)),
        Single(
            value: "\(wideText)-\(spanText)-1",
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .accepted)),
        Single(
            value: "\(wideText)-\(spanText)-0",
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .denied)),
        Single(
            value: "\(wideText)-\(spanText)-d",
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .debug)),
        Single(
            value: "\(wideText)-\(spanText)",
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .deferred)),
        Single(
            value: "\(narrowText)-\(spanText)-1",
            context: B3(parent: SpanReference(traceID: narrow, spanID: span), sampling: .accepted)),
        Single(
            value: " \(narrowText.uppercased())-\(spanText)-1\t",
            context: B3(parent: SpanReference(traceID: narrow, spanID: span), sampling: .accepted)),
        Single(value: "0", context: B3(parent: nil, sampling: .denied)),
        Single(value: "1", context: B3(parent: nil, sampling: .accepted)),
        Single(value: "d", context: B3(parent: nil, sampling: .debug)),
        Single(value: "", context: nil),
        Single(value: "2", context: nil),
        Single(value: wideText, context: nil),
        Single(value: "\(wideText)-", context: nil),
        Single(value: "\(wideText)-\(spanText)-", context: nil),
        Single(value: "\(wideText)-\(spanText)-2", context: nil),
        Single(value: "\(wideText)-\(spanText)-11", context: nil),
        Single(value: "\(wideText)-\(spanText)-1-", context: nil),
        Single(value: "\(wideText)-\(spanText)-1-123", context: nil),
        Single(value: "\(wideText)-\(spanText)-1-05e3ac9a4f6e3b90-x", context: nil),
        Single(value: "\(wideText)0-\(spanText)", context: nil),
        Single(value: "\(wideText)-\(spanText)0", context: nil),
        Single(value: "x0f198ee56343ba864fe8b2a57d3eff7-\(spanText)", context: nil),
        Single(value: "0000000000000000-\(spanText)", context: nil),
        Single(value: "\(wideText)-0000000000000000", context: nil),
    ])
    func single(_ example: Single) {
        #expect(B3(parsing: Array(example.value.utf8).span) == example.context)
    }

    struct Multi: Sendable {
        var fields: [[String]]
        var context: B3?
        init(_ fields: [String]..., context: B3?) {
            self.fields = fields
            self.context = context
        }
    }

    @Test(arguments: [
        Multi(
            ["X-B3-TraceId", wideText], ["X-B3-ParentSpanId", "05e3ac9a4f6e3b90"], ["X-B3-SpanId", spanText],
            ["X-B3-Sampled", "1"],
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .accepted)),
        Multi(
            ["x-b3-spanid", spanText], ["x-b3-traceid", narrowText],
            context: B3(parent: SpanReference(traceID: narrow, spanID: span), sampling: .deferred)),
        Multi(
            ["X-B3-TraceId", wideText], ["X-B3-SpanId", spanText], ["X-B3-Flags", "1"], ["X-B3-Sampled", "0"],
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .debug)),
        Multi(
            ["X-B3-TraceId", wideText], ["X-B3-SpanId", spanText], ["X-B3-Flags", "0"],
            context: B3(parent: SpanReference(traceID: wide, spanID: span), sampling: .deferred)),
        Multi(["X-B3-Sampled", "0"], context: B3(parent: nil, sampling: .denied)),
        Multi(["X-B3-Sampled", "True"], context: B3(parent: nil, sampling: .accepted)),
        Multi(["X-B3-Sampled", "false"], context: B3(parent: nil, sampling: .denied)),
        Multi(["X-B3-Flags", "1"], context: B3(parent: nil, sampling: .debug)),
        Multi(["X-B3-Sampled", "yes"], context: nil),
        Multi(["X-B3-TraceId", wideText], context: nil),
        Multi(["X-B3-SpanId", spanText], context: nil),
        Multi(["X-B3-TraceId", wideText], ["X-B3-TraceId", wideText], ["X-B3-SpanId", spanText], context: nil),
        Multi(["X-B3-TraceId", wideText], ["X-B3-SpanId", spanText], ["X-B3-SpanId", spanText], context: nil),
        Multi(["X-B3-Sampled", "1"], ["X-B3-Sampled", "0"], context: nil),
        Multi(["X-B3-TraceId", "0"], ["X-B3-SpanId", spanText], ["X-B3-Sampled", "1"], context: nil),
        Multi(["X-B3-Unknown", "1"], context: nil),
    ])
    func multi(_ example: Multi) {
        var fields = B3Fields()
        for field in example.fields { fields.take(name: Array(field[0].utf8).span, value: Array(field[1].utf8).span) }
        #expect(fields.context == example.context)
    }

    @Test("what is written parses to itself, in both forms", arguments: [wide, narrow])
    func roundTrip(_ traceID: TraceID) {
        for sampling in [B3.Sampling.deferred, .denied, .accepted, .debug] {
            let context = B3(parent: SpanReference(traceID: traceID, spanID: Self.span), sampling: sampling)
            var buffer = ByteBuffer()
            context.writeSingle(to: &buffer)
            let line = buffer.text
            #expect(line.hasPrefix("b3: ") && line.hasSuffix("\r\n"))
            #expect(B3(parsing: Array(line.dropFirst(4).dropLast().utf8).span) == context)
            buffer.removeAll()
            context.writeMulti(to: &buffer)
            var fields = B3Fields()
            for line in buffer.text.split(separator: "\r\n") {
                let parts = line.split(separator: ": ").map(String.init)
                fields.take(name: Array(parts[0].utf8).span, value: Array(parts[1].utf8).span)
            }
            #expect(fields.context == context)
        }
    }
}
