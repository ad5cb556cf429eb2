package import ByteBuffers

/// What the access log says about one request. A record is reused from request to request and keeps its memory.
package struct AccessLogRecord: ~Copyable {
    /// The decision of a flag.
    struct Flag {
        var key: ByteRange
        var variant: ByteRange
        var reason: ByteRange
    }

    /// One call of a view.
    struct Part {
        var name: ByteRange
        var upstream: ByteRange
        var cause: ByteRange
        var state: ByteRange
        var status: UInt16
        var duration: UInt64
    }

    /// When the request began, in nanoseconds after 1970 in UTC.
    package var time: Int64 = 0
    /// The left and the right half of the trace id.
    package var traceID: (high: UInt64, low: UInt64) = (0, 0)
    /// The gateway's span.
    package var spanID: UInt64 = 0
    /// The flags of the trace.
    package var traceFlags: UInt8 = 0
    /// The id of the request where the gateway gave it one, for lines of JSON whose texts do not stand here; nil where the
    /// request brought one, which is a text.
    package var newRequestID: HexText?
    /// The status of the answer; 0 where there was none.
    package var status: UInt16 = 0
    /// The bytes of the request's body.
    package var bytesIn: UInt64 = 0
    /// The bytes of the answer's body.
    package var bytesOut: UInt64 = 0
    /// How long the exchange took, in nanoseconds.
    package var duration: UInt64 = 0
    /// How long the upstream took to the head of its answer, in nanoseconds; nil where none answered.
    package var upstreamTime: UInt64?
    /// How often an upstream was asked.
    package var attempts: UInt32 = 0
    /// What is worth knowing besides.
    package var marks = AccessLogMarks()
    /// Where the time went; nil where nobody measured it.
    package var split: TimeSplit?

    private var text = ByteBuffer()
    private var present = AccessLogFieldSet()
    private var ranges = PlainList<ByteRange>()
    private(set) var flags: [Flag] = []
    private(set) var parts: [Part] = []

    /// An empty record.
    package init() {
        for _ in AccessLogField.allCases { ranges.append(ByteRange()) }
    }

    /// Empties the record for the next request; its memory stays.
    package mutating func reset() {
        time = 0
        traceID = (0, 0)
        spanID = 0
        traceFlags = 0
        newRequestID = nil
        status = 0
        bytesIn = 0
        bytesOut = 0
        duration = 0
        upstreamTime = nil
        attempts = 0
        marks = AccessLogMarks()
        split = nil
        text.removeAll(keeping: 65_536)
        present.removeAll()
        if !flags.isEmpty { flags.removeAll(keepingCapacity: true) }
        if !parts.isEmpty { parts.removeAll(keepingCapacity: true) }
    }

    /// Sets a field that is text; the fields that are numbers or lists have properties and methods of their own, and
    /// setting them here has no effect on what is written.
    package mutating func set(_ field: AccessLogField, _ value: borrowing Span<UInt8>) {
        ranges[Int(field.rawValue)] = add(value)
        present.insert(field)
    }

    /// Sets a field that is text to a word of ours.
    package mutating func set(_ field: AccessLogField, _ value: StaticString) {
        let start = text.count
        text.append(value)
        ranges[Int(field.rawValue)] = ByteRange(start: start, count: text.count - start)
        present.insert(field)
    }

    /// Sets a field that is text to what `write` appends.
    package mutating func set(_ field: AccessLogField, _ write: (inout ByteBuffer) -> Void) {
        let start = text.count
        write(&text)
        ranges[Int(field.rawValue)] = ByteRange(start: start, count: text.count - start)
        present.insert(field)
    }

    /// Adds the decision of a flag: its key, the variant, and the reason as a word.
    package mutating func addFlag(
        key: borrowing Span<UInt8>, variant: borrowing Span<UInt8>, reason: borrowing Span<UInt8>
    ) {
        flags.append(Flag(key: add(key), variant: add(variant), reason: add(reason)))
    }

    /// Adds a call of a view.
    ///
    /// - Parameters:
    ///   - name: The part's name.
    ///   - upstream: The upstream that was asked; empty where none was.
    ///   - status: The status of its answer; 0 where there was none.
    ///   - cause: The word for what went wrong; empty where nothing did.
    ///   - duration: How long it took, in nanoseconds.
    ///   - state: The word for what it has come to in a view that writes; empty in others.
    package mutating func addPart(
        name: borrowing Span<UInt8>, upstream: borrowing Span<UInt8>, status: UInt16, cause: borrowing Span<UInt8>,
        duration: UInt64, state: StaticString = ""
    ) {
        let words = (add(name), add(upstream), add(cause))
        let start = text.count
        text.append(state)
        parts.append(
            Part(
                name: words.0, upstream: words.1, cause: words.2,
                state: ByteRange(start: start, count: text.count - start), status: status, duration: duration))
    }

    /// Whether a field that is text was set.
    func has(_ field: AccessLogField) -> Bool { present.contains(field) }

    /// The text of a field; empty where it was not set.
    @_lifetime(borrow self)
    borrowing func value(_ field: AccessLogField) -> Span<UInt8> {
        present.contains(field) ? text.span(ranges[Int(field.rawValue)]) : text.span(ByteRange())
    }

    /// The text at a place of this record.
    @_lifetime(borrow self)
    borrowing func span(_ range: ByteRange) -> Span<UInt8> { text.span(range) }

    private mutating func add(_ value: borrowing Span<UInt8>) -> ByteRange {
        let start = text.count
        text.append(value)
        return ByteRange(start: start, count: text.count - start)
    }
}
