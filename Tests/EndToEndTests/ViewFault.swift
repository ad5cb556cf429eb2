import Foundation

/// One way in which the service of a view's part fails, and what is to come of it (http-behaviour.md §1; routes-json.md,
/// "Status and failure").
struct ViewFault: Sendable {
    /// What the service does with the request.
    enum Deed: Sendable {
        /// Answers, and goes on.
        case answer([UInt8])
        /// Answers, and closes the connection.
        case cut([UInt8])
        /// Answers, and resets the connection.
        case reset([UInt8])
        /// Answers, and then nothing.
        case silence([UInt8])
        /// Nothing that a script could do: the service cannot even be asked.
        case none
    }

    let name: String
    /// Which of the configuration's upstreams has it.
    var upstream = "faulty"
    let deed: Deed
    /// The word of `Banyan-Partial`, `_errors` and the log.
    let reason: String
    /// The status that the part was answered with; nil where no head of an answer came, and the log has 0.
    var answered: Int?
    /// The status of a view that cannot do without the part, where the reason alone does not tell.
    private var special: Int?

    private init(_ name: String, _ deed: Deed, _ reason: String, answered: Int? = nil, view special: Int? = nil) {
        (self.name, self.deed, self.reason, self.answered, self.special) = (name, deed, reason, answered, special)
    }

    private init(_ name: String, at upstream: String, _ deed: Deed, _ reason: String, answered: Int? = nil) {
        self.init(name, deed, reason, answered: answered)
        self.upstream = upstream
    }

    /// The status of a view that cannot do without the part.
    var viewStatus: Int { special ?? (reason == "timeout" ? 504 : reason == "upstream_overloaded" ? 503 : 502) }

    /// The cause in its problem document.
    var viewCause: String {
        switch reason {
        case "timeout": "upstream_timeout"
        case "bad_status", "not_json", "bad_coding", "invalid_json", "too_large": "part_failed"
        default: reason
        }
    }

    /// The status that `Banyan-Partial` and `_errors` tell.
    var toldStatus: Int? { reason == "bad_status" ? answered : nil }
}

// MARK: - The table

extension ViewFault {
    private static let ok = "HTTP/1.1 200 OK\r\n"
    private static let chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func whole(_ status: String, _ fields: [String] = [], _ body: [UInt8]) -> Deed {
        let head = ["HTTP/1.1 \(status)", "Content-Length: \(body.count)"] + fields
        return .answer(bytes(head.joined(separator: "\r\n") + "\r\n\r\n") + body)
    }

    private static func json(_ text: String) -> Deed {
        whole("200 OK", ["Content-Type: application/json"], bytes(text))
    }

    /// Every failure.
    static func all() throws -> [ViewFault] {
        unreachable + silent + heads + cutBodies + statuses + contents + (try codings()) + (try large())
    }

    private static let unreachable: [ViewFault] = [
        ViewFault("nobody listens", at: "refused", .none, "connect_failed"),
        ViewFault("nobody accepts", at: "full", .none, "timeout"),
        ViewFault("a name without an address", at: "nowhere", .none, "dns_failed"),
        ViewFault("no TLS at an https server", at: "clear", .none, "tls_failed"),
        ViewFault("no place, and no queue", at: "busy", .none, "upstream_overloaded"),
    ]

    private static let silent: [ViewFault] = [
        ViewFault("no head in the upstream's time", at: "impatient", .silence([]), "timeout"),
        ViewFault("half a head in the upstream's time", at: "impatient", .silence(bytes(ok + "Conte")), "timeout"),
        ViewFault("interim answers only", at: "impatient", .silence(bytes("HTTP/1.1 103 E\r\n\r\n")), "timeout"),
        ViewFault(
            "a body that falls silent", at: "impatient", .silence(bytes(ok + "Content-Length: 9\r\n\r\n[1,")),
            "timeout",
            answered: 200),
        ViewFault("no head in the part's time", at: "brief", .silence([]), "timeout"),
        ViewFault(
            "no end of the body in the part's time", at: "brief", .silence(bytes(chunked + "1\r\n[\r\n")), "timeout",
            answered: 200),
    ]

    private static let heads: [ViewFault] =
        [
            ViewFault("reset without a byte", .reset([]), "upstream_closed"),
            ViewFault("closed without a byte", .cut([]), "upstream_closed"),
            ViewFault("closed in the head", .cut(bytes(ok + "Content-Le")), "upstream_closed"),
            ViewFault("an interim answer and the end", .cut(bytes("HTTP/1.1 100 Go\r\n\r\n")), "upstream_closed"),
        ]
        + [
            ("garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            ("a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n"),
            ("another protocol's version", "HTTP/2 200 OK\r\n\r\n"),
            ("the status 600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"),
            ("length and chunked", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n[1]"),
            ("a negative length", ok + "Content-Length: -2\r\n\r\n[]"),
            ("an unknown transfer coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            ("a folded line", ok + "X: a\r\n b\r\nContent-Length: 2\r\n\r\n[]"),
            ("a blank before the colon", ok + "X : a\r\nContent-Length: 2\r\n\r\n[]"),
            ("a NUL in a value", ok + "X: a\u{0}\r\nContent-Length: 2\r\n\r\n[]"),
            ("lines that end with LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\n[]"),
            ("a field of 100 KB", ok + "X: \(String(repeating: "x", count: 100_000))\r\n\r\n"),
            ("10 000 fields", ok + String(repeating: "X: y\r\n", count: 10_000) + "\r\n"),
            ("an upgrade that nobody asked for", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
        ].map { ViewFault($0.0, .cut(bytes($0.1)), "upstream_protocol") }

    private static let cutBodies: [ViewFault] = [
        ("a body cut before its length", ok + "Content-Length: 9\r\n\r\n[1]"),
        ("a body cut before its first byte", ok + "Content-Length: 9\r\n\r\n"),
        ("chunks without the last", chunked + "3\r\n[1]\r\n"),
        ("a cut within a chunk", chunked + "9\r\n[1]"),
        ("a chunk size that is none", chunked + "3\r\n[1]\r\nxyz\r\n"),
        ("a chunk size that overflows", chunked + "FFFFFFFFFFFFFFFFF\r\n[1]"),
        ("a chunk that is longer than said", chunked + "1\r\n[1]\r\n0\r\n\r\n"),
        ("trailers that are none", chunked + "3\r\n[1]\r\n0\r\nX-T\r\n\r\n"),
    ].map { ViewFault($0.0, .cut(bytes($0.1)), "upstream_truncated", answered: 200) }

    /// What a view cannot use, by status. Where the path of the part holds what the client sent, 400 and 422 are told to it.
    private static let statuses: [ViewFault] =
        [
            (206, 502), (300, 502), (301, 502), (302, 502), (303, 502), (307, 502), (308, 502), (400, 502), (401, 401),
            (402, 502), (403, 403), (404, 404), (405, 502), (409, 502), (410, 410), (412, 502), (418, 502), (422, 502),
            (429, 502), (451, 502), (500, 502), (501, 502), (502, 502), (503, 502), (504, 502), (599, 502),
        ].map { (status: Int, view: Int) in
            ViewFault(
                "status \(status)", whole("\(status) X", ["Location: /", "Retry-After: 9"], bytes("{}")), "bad_status",
                answered: status, view: view)
        }
        + [
            ViewFault(
                "status 304", .answer(bytes("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")), "bad_status",
                answered: 304),
            ViewFault(
                "status 204, which has no content", .answer(bytes("HTTP/1.1 204 No Content\r\n\r\n")), "invalid_json",
                answered: 204),
        ]
        + [400, 422, 409, 404].map { (status: Int) in
            var fault = ViewFault(
                "status \(status) for a path with input", whole("\(status) X", bytes("{}")), "bad_status",
                answered: status, view: status == 409 ? 502 : status)
            fault.upstream = "asked"
            return fault
        }

    private static let contents: [ViewFault] =
        [
            ("nothing", ""), ("no JSON", "<html>"), ("two values", "[1][2]"), ("a comma too many", "[1,]"),
            ("a name twice", #"{"a":1,"a":2}"#), ("a name twice, once with escapes", #"{"a":1,"\u0061":2}"#),
            ("129 levels", String(repeating: "[", count: 129) + String(repeating: "]", count: 129)),
            ("half a surrogate", #"["\ud800"]"#), ("a byte order mark", "\u{FEFF}[1]"), ("a NUL behind it", "[1]\u{0}"),
        ].map { ViewFault($0.0, json($0.1), "invalid_json", answered: 200) }
        + [
            ViewFault(
                "invalid UTF-8", whole("200 OK", bytes("[\"") + [0xC3, 0x28] + bytes("\"]")), "invalid_json",
                answered: 200),
            ViewFault(
                "an overlong form", whole("200 OK", bytes("[\"") + [0xC0, 0xAF] + bytes("\"]")), "invalid_json",
                answered: 200),
        ]
        + ["text/html", "text/plain; charset=utf-8", "application/json; charset=utf-16", "application/octet-stream"].map
    {
        ViewFault("the type \($0)", whole("200 OK", ["Content-Type: \($0)"], bytes("[1]")), "not_json", answered: 200)
    }

    private static func codings() throws -> [ViewFault] {
        let sound = try EndToEnd.ViewAnswers.gzip(#"{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#)
        var damaged = sound
        damaged[damaged.count - 6] ^= 1
        func coded(_ name: String, _ coding: String, _ body: [UInt8], _ reason: String = "bad_coding") -> ViewFault {
            ViewFault(name, whole("200 OK", ["Content-Encoding: \(coding)"], body), reason, answered: 200)
        }
        return [
            coded("gzip that is cut", "gzip", sound.dropLast()), coded("gzip that is damaged", "gzip", damaged),
            coded("gzip that is none", "gzip", bytes("[1]")), coded("gzip of no byte", "gzip", []),
            coded("another coding", "br", sound), coded("two codings", "gzip, gzip", sound),
            coded("gzip of no JSON", "gzip", try EndToEnd.ViewAnswers.gzip("[1,]"), "invalid_json"),
            coded(
                "a gzip bomb", "gzip", try EndToEnd.ViewAnswers.gzip(String(repeating: " ", count: 32 << 20)),
                "too_large"),
        ]
    }

    private static func large() throws -> [ViewFault] {
        let size = (8 << 20) + 1
        let text = bytes("[\"") + [UInt8](repeating: 0x78, count: size - 4) + bytes("\"]")
        let chunks = bytes(chunked + String(size, radix: 16) + "\r\n") + text + bytes("\r\n0\r\n\r\n")
        return [
            ViewFault("a byte above 8 MiB, as it says", whole("200 OK", text), "too_large", answered: 200),
            ViewFault("a byte above 8 MiB, unsaid", .answer(chunks), "too_large", answered: 200),
            ViewFault(
                "a length beyond all bounds", .cut(bytes(ok + "Content-Length: 999999999999\r\n\r\n[")), "too_large",
                answered: 200),
        ]
    }
}

extension ViewFault {
    private static func whole(_ status: String, _ body: [UInt8]) -> Deed { whole(status, [], body) }
}
