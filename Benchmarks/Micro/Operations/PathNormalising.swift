import ByteBuffers
import HTTPMessage

/// A path that is not in its normal form: a letter and a blank in percent-encoding, and two dot segments.
struct PathNormalising: Workload, ~Copyable {
    private static let path = "/%74asks/./42/old/../my%20comments/2026"
    private static let normal = "/tasks/42/my%20comments/2026"

    private var buffer = ByteBuffer()

    var once: UInt64 { UInt64(Self.normal.utf8.count) }

    init() { buffer.append(Self.path) }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(buffer.text, is: Self.path + Self.normal)
    }

    private var range: ByteRange { ByteRange(start: 0, count: Self.path.utf8.count) }

    mutating func run(_ times: Int) -> UInt64 {
        let range = range
        var written: UInt64 = 0
        for _ in 0..<times {
            buffer.truncate(to: range.end)
            if buffer.appendNormalisedPath(range) == nil { written &+= UInt64(buffer.count - range.end) }
        }
        return written
    }
}
