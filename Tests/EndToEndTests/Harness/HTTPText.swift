import Foundation

/// A request or response as it went over the wire, taken apart without leniency and without the gateway's own parser.
struct HTTPText: Sendable, CustomStringConvertible {
    struct Field: Equatable, Sendable, CustomStringConvertible {
        var name: String
        var value: String
        var description: String { "\(name): \(value)" }
    }

    var startLine: String
    var fields: [Field]
    /// The body without its framing.
    var body: [UInt8] = []
    /// The trailer fields of a chunked body.
    var trailers: [Field] = []

    /// Takes a head apart; `head` goes up to, and does not include, the empty line.
    init(head: some Collection<UInt8>) {
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        startLine = lines.first ?? ""
        fields = lines.dropFirst().filter { !$0.isEmpty }.map(Self.field)
    }

    static func field(_ line: String) -> Field {
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return Field(
            name: String(parts.first ?? ""),
            value: parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
    }

    /// The status of a response, 0 for anything else.
    var status: Int {
        let words = startLine.split(separator: " ")
        return words.count > 1 && startLine.hasPrefix("HTTP/") ? Int(words[1]) ?? 0 : 0
    }

    /// The method of a request.
    var method: String { String(startLine.prefix { $0 != " " }) }

    /// The target of a request.
    var target: String {
        let words = startLine.split(separator: " ", omittingEmptySubsequences: false)
        return words.count == 3 ? String(words[1]) : ""
    }

    /// The values of every field of this name, in order.
    func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// The value of the only field of this name; nil when there is none or more than one.
    subscript(name: String) -> String? {
        let found = values(name)
        return found.count == 1 ? found[0] : nil
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The members of the body, which is a JSON object; empty when it is none.
    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }

    /// The cause that a problem document names.
    var cause: String? { json["cause"] as? String }

    var isChunked: Bool { values("transfer-encoding").contains { $0.lowercased() == "chunked" } }

    var contentLength: Int? { self["content-length"].flatMap { Int($0) } }

    var description: String {
        let body = self.body.count > 2_000 ? "<\(self.body.count) bytes>" : text
        return ([startLine] + fields.map(\.description) + ["", body]).joined(separator: "\n")
    }
}

/// Why an exchange did not go as it should, with all that was seen of it.
struct ExchangeFailure: Error, CustomStringConvertible {
    var what: String
    var transcript: String
    var description: String { "\(what)\n\(transcript)" }

    init(_ what: String, transcript: String = "") {
        self.what = what
        self.transcript = transcript
    }
}

/// The time by which something has to have happened.
struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    /// Long enough for a loaded machine under a sanitizer; only a failing test waits for so long.
    static var patient: Deadline { Deadline(.seconds(30)) }

    init(_ duration: Duration) { end = .now + duration }

    var hasPassed: Bool { ContinuousClock.now >= end }

    /// Milliseconds that are left, as `poll` wants them.
    var milliseconds: Int32 {
        let left = end - .now
        return Int32(
            clamping: max(left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000, 0))
    }

    var date: Date { Date(timeIntervalSinceNow: Double(milliseconds) / 1_000) }
}

/// Asks `condition` again and again until it holds: for what can be observed but tells nobody when it changes.
func eventually(
    _ what: String, within deadline: Deadline = .patient, _ condition: () throws -> Bool
) throws {
    while try !condition() {
        if deadline.hasPassed { throw ExchangeFailure("did not happen in time: \(what)") }
        // No synchronisation rests on this pause: it only keeps the question from eating the processor.
        Thread.sleep(forTimeInterval: 0.01)
    }
}
