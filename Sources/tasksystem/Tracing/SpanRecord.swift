/// One span that has ended, as it is kept until it is exported.
struct SpanRecord: Equatable, Sendable {
    /// As OTLP numbers them.
    enum Kind: Int, Sendable {
        case server = 2
        case client = 3
    }

    /// The value of an attribute.
    enum Value: Equatable, Sendable {
        case text(String)
        case number(Int)
    }

    /// What the span says about its work.
    struct Attribute: Equatable, Sendable {
        var key: String
        var value: Value
    }

    /// Bytes of a text that a client chose, beyond which it is cut: what waits for a collector is bounded by this and by
    /// the length of the queue.
    static let longestText = 1024

    var trace: TraceIdentifier
    var span: UInt64
    /// nil begins a trace.
    var parent: UInt64?
    var state: TraceState?
    /// The flags of the trace, and whether the parent is in another process (OTLP `SpanFlags`).
    var flags: UInt32
    var name: String
    var kind: Kind
    /// Nanoseconds since 1970.
    var start: UInt64
    var end: UInt64
    var attributes: [Attribute] = []
    var isError = false

    /// OTLP's bits beside the flags of the trace: it is known where the parent is, and it is elsewhere.
    static let parentIsKnown: UInt32 = 0x100
    static let parentIsRemote: UInt32 = 0x200

    /// Adds a text, cut after ``longestText`` bytes between two characters.
    mutating func add(_ key: String, _ text: String) {
        var text = text
        if text.utf8.count > Self.longestText {
            var kept = String.UnicodeScalarView()
            var size = 0
            for scalar in text.unicodeScalars {
                size += UTF8.width(scalar)
                if size > Self.longestText { break }
                kept.append(scalar)
            }
            text = String(kept)
        }
        attributes.append(Attribute(key: key, value: .text(text)))
    }

    mutating func add(_ key: String, _ number: Int) {
        attributes.append(Attribute(key: key, value: .number(number)))
    }

    /// Says that the work failed, in a word of which there are few.
    mutating func fail(_ type: String) {
        add("error.type", type)
        isError = true
    }
}
