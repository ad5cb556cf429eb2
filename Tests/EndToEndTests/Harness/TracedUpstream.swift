import Foundation
import Glibc

/// An upstream of either version of HTTP that tells which fields came with the request for a path.
final class TracedUpstream {
    enum Kind: String, Sendable {
        case http1 = "HTTP/1.1"
        case libcurl = "HTTP/1.1 by libcurl"
        case http2 = "HTTP/2"

        /// Whether what is needed for it is there: `nghttpd` for HTTP/2 (Debian: nghttp2-server).
        var isPossible: Bool { self != .http2 || access(TracedUpstream.nghttpd, X_OK) == 0 }
    }

    private static let nghttpd = "/usr/sbin/nghttpd"

    let url: String
    /// The members of the upstream's configuration, beside its servers.
    let settings: String?
    private let stub: StubUpstream?
    private let server: RunningProcess?
    private let folder: TemporaryFolder

    init(_ kind: Kind) throws {
        folder = try TemporaryFolder()
        switch kind {
        case .http1, .libcurl:
            let stub = try StubUpstream.saying("ok")
            self.stub = stub
            server = nil
            url = stub.url
            settings = kind == .libcurl ? #""transport": "libcurl""# : nil
        case .http2:
            let port = try SocketPlace.freePort()
            server = try RunningProcess(
                Self.nghttpd, ["--address", "127.0.0.1", "-d", folder.path, "--no-tls", "--verbose", "\(port)"])
            stub = nil
            url = "http://127.0.0.1:\(port)"
            settings = #""protocol": "h2""#
            try eventually("nghttpd listens") { (try? RawClient(.ipv4(port: port))) != nil }
        }
    }

    deinit { server?.signal(SIGKILL) }

    /// The fields of each request so far, by its path; the one for `last` is the last of them.
    func fields(upTo last: String) throws -> [String: [HTTPText.Field]] {
        guard let server else {
            let requests = stub?.requests ?? []
            return Dictionary(requests.map { ($0.target, $0.fields) }, uniquingKeysWith: { $1 })
        }
        // One line a field, in the order in which they came, and then one for the frame of the head:
        // "[id=1] [  0.004] recv (stream_id=13) name: value", "[id=1] [  0.004] recv HEADERS frame <length=9, ...".
        try server.line("the request for \(last)") { $0.hasSuffix(") :path: \(last)") }
        try eventually("the whole head for \(last)") {
            let lines = server.lines()
            let start = lines.firstIndex { $0.hasSuffix(") :path: \(last)") } ?? lines.endIndex
            return lines[start...].contains { $0.contains(" recv HEADERS frame ") }
        }
        var fields: [String: [HTTPText.Field]] = [:]
        var open: [HTTPText.Field] = []
        for line in server.lines() {
            if let range = line.firstRange(of: #/ recv \(stream_id=\d+\) /#) {
                open.append(HTTPText.field(String(line[range.upperBound...])))
            } else if line.contains(" recv HEADERS frame ") {
                // A pseudo-field begins with a colon, and so has no name here.
                let path = open.first { $0.value.hasPrefix("path: ") }.map { String($0.value.dropFirst(6)) }
                fields[path ?? ""] = open
                open = []
            }
        }
        return fields
    }
}
