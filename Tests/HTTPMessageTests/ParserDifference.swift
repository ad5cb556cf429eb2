import Foundation

/// A way in which this room reads messages otherwise than llhttp, the parser of Node.js and SwiftNIO.
///
/// The list is closed: docs/parser-differences.md has a row for each of them, and a difference that is none of them fails
/// the comparison.
enum ParserDifference: String, CaseIterable, Sendable {
    // What llhttp takes and is refused here.
    case hostMissing = "host-missing"
    case hostTwice = "host-twice"
    case hostMalformed = "host-malformed"
    case targetByte = "target-byte"
    case targetForm = "target-form"
    case targetAsterisk = "target-asterisk"
    case targetEscape = "target-escape"
    case targetAboveRoot = "target-above-root"
    case targetBackslash = "target-backslash"
    case requestLineBlanks = "request-line-blanks"
    case leadingLineEnds = "leading-line-ends"
    case controlByte = "control-byte"
    case codingUnknown = "coding-unknown"
    case codingInHTTP10 = "coding-in-http-1.0"
    case framingUnderscore = "framing-underscore"
    case lengthDigits = "length-digits"
    case chunkSizeDigits = "chunk-size-digits"
    case chunkExtension = "chunk-extension"
    case expectation = "expectation"
    case statusRange = "status-range"
    case statusLine = "status-line"
    case upgradeUnasked = "upgrade-unasked"

    // What llhttp refuses, or does not read on from, and is taken here.
    case methodUnlisted = "method-unlisted"
    case trailerFraming = "trailer-framing"
    case proxyConnection = "proxy-connection"
    case upgradeAsked = "upgrade-asked"

    // What either takes, and reads otherwise.
    case framedWithoutBody = "framed-without-body"
    case closeAndKeepAlive = "close-and-keep-alive"
    case valueTabs = "value-tabs"
    case valueBlanks = "value-blanks"
    case trailerDropped = "trailer-dropped"

    /// The class of a message that llhttp takes, by the words with which it is refused here.
    init?(refusedHere detail: String, _ message: ReadMessage, in input: String) {
        let mayBeStray = [
            "a line ends with LF alone", "a CR stands without LF", "the method is not a token of at most 32 bytes",
        ]
        if mayBeStray.contains(detail), Self.strayLineEnds(before: message.start, in: input) {
            self = .leadingLineEnds
        } else if let found = Self.refusals[detail] {
            self = found
        } else if Self.hasTabs("transfer-encoding", input) {
            // What is a chunked body here is one without framing there.
            self = .valueTabs
        } else {
            return nil
        }
    }

    private static let refusals: [String: ParserDifference] = [
        "Host is missing": .hostMissing,
        "Host stands twice": .hostTwice,
        "Host is not a host and port": .hostMalformed,
        "the request target has a byte that may not stand in it": .targetByte,
        "the request target has no form that the method allows": .targetForm,
        "the authority in the request target is not host and port": .targetForm,
        "the target * goes with OPTIONS alone": .targetAsterisk,
        "the path has a % without two hexadecimal digits": .targetEscape,
        "the path has %00": .targetEscape,
        "the path leads above the root": .targetAboveRoot,
        "the path has a backslash": .targetBackslash,
        "the request line does not end with a version": .requestLineBlanks,
        "a control byte stands in the head": .controlByte,
        "Transfer-Encoding is not the one word chunked": .codingUnknown,
        "Transfer-Encoding stands in an HTTP/1.0 message": .codingInHTTP10,
        "a framing field is spelt with an underscore": .framingUnderscore,
        "Content-Length is not a number of 1 to 18 digits": .lengthDigits,
        "a chunk size has more than 15 digits": .chunkSizeDigits,
        "a chunk extension is malformed": .chunkExtension,
        "the one expectation that can be met is 100-continue": .expectation,
        "the status code is not within 100...599": .statusRange,
        "the status line is malformed": .statusLine,
        "an upgrade that nobody asked for": .upgradeUnasked,
    ]

    /// The class of a message that is taken here, by the words with which llhttp refuses it; nil where it says nothing.
    init?(refusedByLlhttp detail: String?, _ message: ReadMessage, in input: String) {
        let method = message.start.prefix { $0 != " " }
        switch detail {
        case "invalid HTTP method" where !Self.listed.contains(method), "invalid HTTP version" where method == "PRI":
            self = .methodUnlisted
        case "invalid character in content-length header" where Self.hasTabs("content-length", input),
            "unknown (http_parser error)" where Self.hasTabs("transfer-encoding", input):
            self = .valueTabs
        case "invalid character in content-length header" where message.isChunked,
            "unknown (http_parser error)" where message.isChunked,
            Self.closed where input.contains(/\r\n0[^\r\n]*\r\n([^\r\n]+\r\n)*Transfer-Encoding:/):
            self = .trailerFraming
        case Self.closed where input.contains("Proxy-Connection: close"): self = .proxyConnection
        case nil where input.lowercased().contains("upgrade: "): self = .upgradeAsked
        default: return nil
        }
    }

    private static let closed = "data received after completed connection: close message"

    /// The class of messages that llhttp reads behind one that ends the connection here.
    init?(closedHere last: ReadMessage) {
        let fields = last.fields.map { $0.lowercased() }
        let options = fields.filter { $0.hasPrefix("connection: ") }.joined()
        if last.start == "204" || last.start.hasPrefix("1"), fields.contains(where: { $0.hasPrefix("transfer-") }) {
            self = .framedWithoutBody
        } else if last.minorVersion == 0, options.contains("close"), options.contains("keep-alive") {
            self = .closeAndKeepAlive
        } else {
            return nil
        }
    }

    /// The class of a message that both take; nil where they read the same, or something else than the class says.
    init?(taken message: ReadMessage, asOther other: ReadMessage, in input: String) {
        guard message.isChunked, Self.hasTabs("transfer-encoding", input), message.content != other.content else {
            return nil
        }
        self = .valueTabs
    }

    private static let listed: Set<Substring> = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]

    /// Whether a field has a tab where its value begins or ends.
    private static func hasTabs(_ name: String, _ input: String) -> Bool {
        input.range(of: "(?i)\(name):(\\t| *[^\\r]*\\t\\r)", options: .regularExpression) != nil
    }

    /// Whether more than the end of a head, and one empty line, stands before a message.
    private static func strayLineEnds(before start: String, in input: String) -> Bool {
        let words = start.split(separator: " ").map { NSRegularExpression.escapedPattern(for: String($0)) }
        let pattern = words.joined(separator: " +") + " "
        var rest = input.startIndex..<input.endIndex
        while let found = input.range(of: pattern, options: .regularExpression, range: rest) {
            let before = input.unicodeScalars[..<found.lowerBound]
            let run = before.reversed().prefix { $0 == "\r" || $0 == "\n" }.reversed()
            let regular = run.count < before.count ? ["", "\r\n", "\r\n\r\n"] : ["", "\r\n"]
            if !regular.contains(String(String.UnicodeScalarView(run))) { return true }
            rest = found.upperBound..<input.endIndex
        }
        return false
    }
}

/// A message as a reader understood it.
struct ReadMessage: CustomStringConvertible {
    /// Method and target, or the status.
    var start: String
    var minorVersion: Int
    var fields: [String]
    var content: [UInt8] = []
    var trailers: [String] = []
    /// Whether the end of the body was seen.
    var isWhole = false

    var isChunked: Bool { fields.contains { $0.lowercased() == "transfer-encoding: chunked" } }

    var description: String {
        let text = String(decoding: content, as: UTF8.self).debugDescription
        return "\(start) 1.\(minorVersion) \(fields) \(text) \(trailers) whole: \(isWhole)"
    }
}

/// What a reader made of all bytes of a connection: messages in order, then perhaps a failure.
struct ReadConnection {
    var messages: [ReadMessage] = []
    var failure: String?
    /// The connection goes no further after the last message: what follows is not read.
    var isClosed = false

    /// How many messages are whole.
    var whole: Int { messages.count { $0.isWhole } }
}
