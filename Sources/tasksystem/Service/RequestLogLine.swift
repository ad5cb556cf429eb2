import Foundation
import NIOHTTP1

/// A line of the request log: `comments: GET /tasks/1/comments 200 0.8ms traceparent=00-4bf9…-01`.
struct RequestLogLine {
    let text: String

    init(name: String, request: HTTPRequest, reply: HTTPReply, duration: Duration) {
        let tenths = duration / .microseconds(100)
        let milliseconds = (tenths.rounded() / 10).description
        let trace = request.head.headers.first(name: "traceparent") ?? "-"
        let line =
            "\(name): \(request.method.rawValue) \(request.head.uri) \(reply.status.code) \(milliseconds)ms "
            + "traceparent=\(trace)"
        text = Self.printable(line)
    }

    /// What a client sends must not be able to move the cursor or begin a new line.
    private static func printable(_ line: String) -> String {
        String(String.UnicodeScalarView(line.unicodeScalars.map { (0x20..<0x7F).contains($0.value) ? $0 : "?" }))
    }
}
