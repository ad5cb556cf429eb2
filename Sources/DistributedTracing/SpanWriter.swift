package import ByteBuffers

/// Writes spans as OTLP has them (opentelemetry/proto/trace/v1/trace.proto), one after the other, each as the field
/// `ScopeSpans.spans`, so that a run of them needs only what stands before it.
///
/// A writer keeps its memory; a span in work stands in a buffer of its own, since its length comes first.
package struct SpanWriter: ~Copyable {
    /// What every span has.
    package struct Head {
        package var traceID: TraceID
        package var span: TraceSpan
        package var flags: TraceFlags
        /// Whether the parent is a span of another process (OTLP, `SpanFlags`).
        package var parentIsRemote = false
        /// When it began and ended, in nanoseconds after 1970 in UTC.
        package var start: UInt64
        package var end: UInt64

        package init(traceID: TraceID, span: TraceSpan, flags: TraceFlags, start: UInt64, end: UInt64) {
            self.traceID = traceID
            self.span = span
            self.flags = flags
            self.start = start
            self.end = end
        }
    }

    private var body = ByteBuffer()
    private var nested = ByteBuffer()
    private var isEvent = false

    /// A writer without a span.
    package init() {}

    // MARK: - A span

    /// Begins a span. `state` is the trace's `tracestate`, which may be empty.
    package mutating func begin(_ head: Head, state: borrowing Span<UInt8>) {
        body.removeAll(keeping: 16_384)
        body.appendTag(1, .bytes)
        body.append(16)
        body.appendBigEndian(head.traceID.high)
        body.appendBigEndian(head.traceID.low)
        body.appendTag(2, .bytes)
        body.append(8)
        body.appendBigEndian(head.span.spanID)
        if !state.isEmpty { body.appendField(3, state) }
        if head.span.parentID != 0 {
            body.appendTag(4, .bytes)
            body.append(8)
            body.appendBigEndian(head.span.parentID)
        }
        body.appendField(6, varint: head.span.kind.number)
        body.appendField(7, fixed64: head.start)
        // Clocks that were set meanwhile must not make a span end before it began.
        body.appendField(8, fixed64: max(head.start, head.end))
        let knowledge: UInt32 = 0x100 | (head.parentIsRemote ? 0x200 : 0)
        body.appendField(16, fixed32: UInt32(head.flags.rawValue) | knowledge)
    }

    /// Sets the span's name: a word, and what it is done to with a blank between them where that is not empty.
    package mutating func setName(_ word: borrowing Span<UInt8>, _ object: [UInt8] = []) {
        body.appendTag(5, .bytes)
        body.appendVarint(UInt64(word.count + (object.isEmpty ? 0 : 1 + object.count)))
        body.append(word)
        if object.isEmpty { return }
        body.append(" ")
        body.append(object)
    }

    /// Says that the operation failed.
    package mutating func setFailed() {
        body.appendTag(15, .bytes)
        body.append(2)
        body.appendField(3, varint: 2)
    }

    /// Adds a span of another trace that this one has to do with.
    package mutating func addLink(_ link: SpanReference) {
        body.appendTag(13, .bytes)
        body.append(28)
        body.appendTag(1, .bytes)
        body.append(16)
        body.appendBigEndian(link.traceID.high)
        body.appendBigEndian(link.traceID.low)
        body.appendTag(2, .bytes)
        body.append(8)
        body.appendBigEndian(link.spanID)
    }

    /// Ends the span and appends it to `spans`.
    package mutating func end(into spans: inout ByteBuffer) { spans.appendField(2, body.span) }

    // MARK: - Attributes

    /// Adds an attribute that is text; bytes that are not UTF-8 are replaced, since a collector refuses the whole batch
    /// for one of them.
    package mutating func add(_ key: StaticString, _ text: borrowing Span<UInt8>) {
        if Self.isASCII(text) {
            addText(key, text)
        } else {
            var repaired = ByteBuffer()
            text.withUnsafeBufferPointer { repaired.append(String(decoding: $0, as: UTF8.self)) }
            addText(key, repaired.span)
        }
    }

    /// Adds an attribute that is text of the configuration.
    package mutating func add(_ key: StaticString, _ text: [UInt8]) { add(key, text.span) }

    /// Adds an attribute that is a word of ours.
    package mutating func add(_ key: StaticString, _ word: StaticString) {
        beginAttribute(key, valueSize: Protobuf.fieldSize(word.utf8CodeUnitCount))
        put { $0.appendField(1, word) }
    }

    /// Adds an attribute that is a number.
    package mutating func add(_ key: StaticString, _ number: Int) {
        let value = UInt64(bitPattern: Int64(number))
        beginAttribute(key, valueSize: 1 + Protobuf.size(value))
        put { $0.appendField(3, varint: value) }
    }

    /// Adds an attribute that is true.
    package mutating func add(_ key: StaticString) {
        beginAttribute(key, valueSize: 2)
        put { $0.appendField(2, varint: 1) }
    }

    private mutating func addText(_ key: StaticString, _ text: borrowing Span<UInt8>) {
        beginAttribute(key, valueSize: Protobuf.fieldSize(text.count))
        if isEvent { nested.appendField(1, text) } else { body.appendField(1, text) }
    }

    private mutating func beginAttribute(_ key: StaticString, valueSize: Int) {
        let size = Protobuf.fieldSize(key.utf8CodeUnitCount) + Protobuf.fieldSize(valueSize)
        let field: UInt64 = isEvent ? 3 : 9
        put { target in
            target.appendTag(field, .bytes)
            target.appendVarint(UInt64(size))
            target.appendField(1, key)
            target.appendTag(2, .bytes)
            target.appendVarint(UInt64(valueSize))
        }
    }

    private mutating func put(_ write: (inout ByteBuffer) -> Void) {
        if isEvent { write(&nested) } else { write(&body) }
    }

    private static func isASCII(_ text: borrowing Span<UInt8>) -> Bool {
        for index in 0..<text.count where text[index] >= 0x80 { return false }
        return true
    }

    // MARK: - Events

    /// Begins something that happened at `time`, in nanoseconds after 1970; attributes are its own up to ``endEvent()``.
    package mutating func beginEvent(_ name: StaticString, at time: UInt64) {
        isEvent = true
        nested.removeAll(keeping: 4_096)
        nested.appendField(1, fixed64: time)
        nested.appendField(2, name)
    }

    /// Ends the event.
    package mutating func endEvent() {
        isEvent = false
        Self.append(nested, to: &body)
    }

    private static func append(_ event: borrowing ByteBuffer, to body: inout ByteBuffer) {
        body.appendField(11, event.span)
    }
}

extension TraceSpan.Kind {
    /// The number of the kind in OTLP (`SpanKind`).
    fileprivate var number: UInt64 {
        switch self {
        case .internal: 1
        case .server: 2
        case .client: 3
        }
    }
}
