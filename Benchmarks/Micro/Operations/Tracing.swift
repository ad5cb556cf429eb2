import ByteBuffers
import DistributedTracing
import HTTPMessage

/// The value of a `traceparent` field, read.
struct TraceParentParsing: Workload, ~Copyable {
    static let value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"

    private let text = Array(Self.value.utf8)
    let once: UInt64 = 0x00f0_67aa_0ba9_02b7

    mutating func check() throws(WrongResult) { try require(run(1), is: once) }

    mutating func run(_ times: Int) -> UInt64 {
        var sum: UInt64 = 0
        for _ in 0..<times {
            if let parent = TraceParent(parsing: text.span) { sum &+= parent.spanID }
        }
        return sum
    }
}

/// The value of a `traceparent` field, written.
struct TraceParentWriting: Workload, ~Copyable {
    private let parent: TraceParent
    private var out = ByteBuffer()
    let once: UInt64 = 55

    static func make() throws(WrongResult) -> TraceParentWriting {
        let text = Array(TraceParentParsing.value.utf8)
        return TraceParentWriting(try unwrap(TraceParent(parsing: text.span), "the value is refused"))
    }

    private init(_ parent: TraceParent) { self.parent = parent }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(out.text, is: TraceParentParsing.value)
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            out.removeAll()
            parent.write(to: &out)
            written &+= UInt64(out.count)
        }
        return written
    }
}

/// The value of a `tracestate` field of three members, read.
struct TraceStateParsing: Workload, ~Copyable {
    private static let value = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,vendor@tenant=a:1;b:2"

    private let text = Array(Self.value.utf8)
    private var state = TraceState()
    let once: UInt64 = 3

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(state.text.text, is: Self.value)
    }

    mutating func run(_ times: Int) -> UInt64 {
        let text = text
        var members: UInt64 = 0
        for _ in 0..<times {
            state.reset()
            state.append(field: text.span)
            state.limit()
            members &+= UInt64(state.count)
        }
        return members
    }
}

/// A trace that goes on: what a request says of it, the gateway's span, and what the upstream is told.
struct TraceContinuing: Workload, ~Copyable {
    private let head: RequestHead
    private var context = TraceContext()
    private var ids = IDGenerator(seed: 1, 2, 3, 4)
    private let sampler = Sampler(ratio: 0.1)
    private var out = ByteBuffer()

    private(set) var once: UInt64 = 0

    static func make() throws(WrongResult) -> TraceContinuing {
        TraceContinuing(try Messages.read(Messages.tracedRequest))
    }

    private init(_ head: consuming RequestHead) { self.head = head }

    mutating func check() throws(WrongResult) {
        once = run(1)
        let lines = out.text.split(separator: "\r\n")
        try require(lines.count, is: 3)
        try require(lines[0].hasPrefix("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"), "\(lines[0])")
        try require(
            lines[1], is: "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,vendor@tenant=a:1;b:2")
        try require(lines[2], is: "baggage: tenant=acme,session=0d7b1b0c")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            out.removeAll()
            context.begin(from: head, policy: .continue, propagation: .standard, sampler: sampler, ids: &ids, at: 5)
            let attempt = context.beginAttempt(ids: &ids, at: 6)
            context.inject(spanID: attempt.spanID, into: &out)
            written &+= UInt64(out.count)
        }
        return written
    }
}
