import Telemetry
import Upstreams

/// An operation whose costs are counted, by its name.
package struct MicroOperation: Sendable {
    /// What the thresholds and the command line call it.
    package let name: String
    private let make: @Sendable () throws(WrongResult) -> ReadyOperation

    init<Work: Workload & ~Copyable>(_ name: String, _ make: @escaping @Sendable () throws(WrongResult) -> Work) {
        self.name = name
        self.make = { () throws(WrongResult) in try ReadyWorkload(try make()) }
    }

    /// Makes it ready: throws where it does not do what it should.
    package func prepare() throws(WrongResult) -> ReadyOperation { try make() }

    /// The operation with this name, or nil.
    package static func named(_ name: String) -> MicroOperation? { all.first { $0.name == name } }

    /// Every operation, in the order of a request's way through the gateway.
    package static let all =
        readingHeads + passingOn + routing + flags + tracing + documents + views + http2 + balancing + logging

    private static let readingHeads = [
        MicroOperation("request-small") { RequestParsing.small() },
        MicroOperation("request-browser") { RequestParsing.browser() },
        MicroOperation("request-post") { RequestParsing.post() },
        MicroOperation("response") { ResponseParsing() },
        MicroOperation("chunks") { ChunkDecoding() },
        MicroOperation("path") { PathNormalising() },
    ]
    private static let passingOn = [
        MicroOperation("forward-request") { () throws(WrongResult) in try RequestForwarding.make() },
        MicroOperation("forward-response") { ResponseForwarding() },
    ]
    private static let routing = [
        MicroOperation("route-of-10") { () throws(WrongResult) in try RouteMatching.ofTen() },
        MicroOperation("route-of-10000") { () throws(WrongResult) in try RouteMatching.ofTenThousand() },
        MicroOperation("route-conditions") { () throws(WrongResult) in try RouteMatching.withConditions() },
    ]
    private static let flags = [
        MicroOperation("flag-static") { () throws(WrongResult) in try FlagEvaluating.static() },
        MicroOperation("flag-rule-first") { () throws(WrongResult) in try FlagEvaluating.firstBranch() },
        MicroOperation("flag-rule-last") { () throws(WrongResult) in try FlagEvaluating.lastBranch() },
        MicroOperation("bucket") { Bucketing() },
    ]
    private static let tracing = [
        MicroOperation("traceparent-parse") { TraceParentParsing() },
        MicroOperation("traceparent-write") { () throws(WrongResult) in try TraceParentWriting.make() },
        MicroOperation("tracestate-parse") { TraceStateParsing() },
        MicroOperation("trace-continue") { () throws(WrongResult) in try TraceContinuing.make() },
    ]
    private static let documents = [
        MicroOperation("json-scan") { JSONScanning() },
        MicroOperation("json-find") { JSONFinding() },
    ]
    private static let views = [
        MicroOperation("template-path") { () throws(WrongResult) in try TemplateExpanding.make() },
        MicroOperation("template-of-part") { () throws(WrongResult) in PartAsking(try TaskView.make(parts: 2)) },
        MicroOperation("compose-view") { () throws(WrongResult) in ViewComposing(try TaskView.make()) },
        MicroOperation("view") { () throws(WrongResult) in ViewRunning(try TaskView.make()) },
    ]
    private static let http2 = [
        MicroOperation("http2-head") { () throws(WrongResult) in try HTTP2HeadReading.make() },
        MicroOperation("http2-exchange") { () throws(WrongResult) in try HTTP2Exchanging.make() },
    ]
    private static let balancing = [
        MicroOperation("pick-least-request") { ServerPicking(.leastRequest) },
        MicroOperation("pick-hash") { ServerPicking(.hash) },
    ]
    private static let logging = [
        MicroOperation("log-json") { LogWriting(.json) },
        MicroOperation("log-combined") { LogWriting(.combined) },
    ]
}
