/// A reader of bytes from outside, with the properties that hold whatever those bytes are.
package struct FuzzTarget: Sendable {
    /// What `scripts/fuzz.sh` and the folder of its corpus call it.
    package let name: String
    private let check: @Sendable ([UInt8]) throws(BrokenProperty) -> Void

    init(_ name: String, _ check: @escaping @Sendable ([UInt8]) throws(BrokenProperty) -> Void) {
        self.name = name
        self.check = check
    }

    /// Gives `input` to the reader and throws where a property does not hold.
    package func run(_ input: [UInt8]) throws(BrokenProperty) { try check(input) }

    /// Every target.
    package static let all = [
        FuzzTarget("http1-request", HTTP1RequestFuzz.check),
        FuzzTarget("http1-response", HTTP1ResponseFuzz.check),
        FuzzTarget("chunks", ChunksFuzz.check),
        FuzzTarget("path", PathFuzz.check),
        FuzzTarget("http2-head", HTTP2HeadFuzz.check),
        FuzzTarget("http2-session", HTTP2SessionFuzz.check),
        FuzzTarget("http2-answers", HTTP2AnswersFuzz.check),
        FuzzTarget("proxy-header", ProxyHeaderFuzz.check),
        FuzzTarget("trace", TraceFuzz.check),
        FuzzTarget("templates", TemplateFuzz.check),
        FuzzTarget("routes-json", RoutesFuzz.check),
        FuzzTarget("flags-json", FlagsFuzz.check),
        FuzzTarget("json", JSONFuzz.check),
        FuzzTarget("gzip", GzipFuzz.check),
    ]

    /// The target with this name, or nil.
    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
