import ByteBuffers
import HTTPMessage
import Testing

@testable import DistributedTracing

/// A generator of test inputs that is the same in every run (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

func parsedTraceParent(_ text: String) -> TraceParent? {
    TraceParent(parsing: Array(text.utf8).span)
}

/// What is sent for these `tracestate` fields, and the number of members.
func resentTraceState(_ fields: [String], limit: Int = TraceState.maximumSize) -> (text: String, count: Int) {
    var state = TraceState()
    for field in fields { state.append(field: Array(field.utf8).span) }
    state.limit(to: limit)
    return (state.text.text, state.count)
}

/// What is sent for these `baggage` fields of a trusted caller and these decisions.
func resentBaggage(_ fields: [String], decisions: [(String, String)] = []) -> String {
    var baggage = Baggage()
    for field in fields { baggage.append(field: Array(field.utf8).span) }
    for (key, variant) in decisions {
        baggage.appendDecision(key: Array(key.utf8).span, variant: Array(variant.utf8).span)
    }
    var buffer = ByteBuffer()
    baggage.write(to: &buffer)
    #expect(baggage.isEmpty == buffer.isEmpty)
    return buffer.text
}

/// Runs `body` with the head that the gateway's own parser reads from these header lines.
func withHead<R>(_ lines: [String], _ body: (borrowing RequestHead) throws -> R) throws -> R {
    let text = "GET / HTTP/1.1\r\nHost: example.com\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    var head = RequestHead()
    var parser = HTTP1RequestParser(limits: HeadLimits())
    let bytes = Array(text.utf8)
    guard case .complete = parser.consume(bytes.span, into: &head) else {
        Issue.record("the request does not parse: \(text)")
        throw CancellationError()
    }
    return try body(head)
}
