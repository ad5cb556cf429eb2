package import ByteBuffers

/// Writes spans as OTLP has them (opentelemetry/proto/trace/v1/trace.proto), one after the other, each as the field
/// `ScopeSpans.spans`, so that a run of them needs only what stands before it.
///
/// A writer keeps its memory. Spans stand where they are handed on from: of the length, which comes first, the two bytes that
/// most spans need are left free until it is known.
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

    /// The spans, the last of them in work from `start` on.
    private var body = ByteBuffer()
    private var start = 0
    private var nested = ByteBuffer()
    private var isEvent = false

    /// A writer without a span.
    package init() {}

    // MARK: - A span

    /// Begins a span. `state` is the trace's `tracestate`, which may be empty.
    package mutating func begin(_ head: Head, state: borrowing Span<UInt8>) {
        // Field 16, of which the tag has two bytes: the flags, and what is known about the parent.
        let knowledge: UInt64 = 0x100 | (head.parentIsRemote ? 0x200 : 0)
        let flags = 0x0185 | (UInt64(head.flags.rawValue) | knowledge) << 16
        let kind = 0x39_00_30 | UInt32(head.span.kind.number) << 8
        start = body.count + 3
        _ = body.write(minimum: 72) { target in
            // SAFETY: the last store ends 69 bytes behind the beginning, and 72 were asked for.
            // Field 2, and room for its length; fields 1 and 2 of the span, the ids.
            target.storeBytes(of: UInt64(0x100A_0000_12).littleEndian, as: UInt64.self)
            target.storeBytes(of: head.traceID.high.bigEndian, toByteOffset: 5, as: UInt64.self)
            target.storeBytes(of: head.traceID.low.bigEndian, toByteOffset: 13, as: UInt64.self)
            target.storeBytes(of: UInt16(0x0812).littleEndian, toByteOffset: 21, as: UInt16.self)
            target.storeBytes(of: head.span.spanID.bigEndian, toByteOffset: 23, as: UInt64.self)
            var end = 31
            if head.span.parentID != 0 {
                target.storeBytes(of: UInt16(0x0822).littleEndian, toByteOffset: end, as: UInt16.self)
                target.storeBytes(of: head.span.parentID.bigEndian, toByteOffset: end + 2, as: UInt64.self)
                end = 41
            }
            // Fields 6, 7 and 8, the kind, the begin and the end.
            target.storeBytes(of: kind.littleEndian, toByteOffset: end, as: UInt32.self)
            target.storeBytes(of: head.start.littleEndian, toByteOffset: end + 3, as: UInt64.self)
            target.storeBytes(of: 0x41, toByteOffset: end + 11, as: UInt8.self)
            // Clocks that were set meanwhile must not make a span end before it began.
            target.storeBytes(of: max(head.start, head.end).littleEndian, toByteOffset: end + 12, as: UInt64.self)
            target.storeBytes(of: flags.littleEndian, toByteOffset: end + 20, as: UInt64.self)
            return end + 26
        }
        if !state.isEmpty { body.appendField(3, state) }
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

    /// Ends the span.
    package mutating func end() {
        let length = body.count - start
        if length >= 0x80, length < 0x4000 {
            body[start - 2] = UInt8(truncatingIfNeeded: length) | 0x80
            body[start - 1] = UInt8(truncatingIfNeeded: length >> 7)
        } else {
            endOther(length)
        }
    }

    /// Ends a span whose length has not two bytes: its content is moved.
    private mutating func endOther(_ length: Int) {
        nested.removeAll(keeping: 4_096)
        body.copy(ByteRange(start: start, count: length), to: &nested)
        body.truncate(to: start - 2)
        body.appendVarint(UInt64(length))
        Self.append(nested, to: &body)
    }

    /// How many bytes the spans have.
    package var count: Int { body.count }

    /// The spans that have ended, which the writer has no more after `take`; it may leave other memory in their place.
    package mutating func take(_ take: (inout ByteBuffer) -> Void) { take(&body) }

    // MARK: - Attributes

    /// Adds an attribute that is text; bytes that are not UTF-8 are replaced, since a collector refuses the whole batch
    /// for one of them.
    package mutating func add(_ key: StaticString, _ text: borrowing Span<UInt8>) {
        if text.isASCII {
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
        beginText(key, count: word.utf8CodeUnitCount)
        if isEvent { nested.append(word) } else { body.append(word) }
    }

    /// Adds the id of a request, `banyan.request_id`, that the gateway has made. Not inside of an event.
    package mutating func addRequestID(_ id: HexText) {
        // The attribute up to its text, with all tags and lengths.
        body.append("\u{4A}\u{37}\u{0A}\u{11}banyan.request_id\u{12}\u{22}\u{0A}\u{20}")
        body.append(id)
    }

    /// Adds an attribute that is a number.
    package mutating func add(_ key: StaticString, _ number: Int) {
        let value = UInt64(bitPattern: Int64(number))
        if isEvent { nested.appendNumber(key, value, field: 3) } else { body.appendNumber(key, value, field: 9) }
    }

    /// Adds an attribute that is the text which `write` appends, and which most often is short. Not inside of an event.
    package mutating func add(_ key: StaticString, _ write: (inout ByteBuffer) -> Void) {
        // Lengths come first, and most of them are one byte: what they count is written behind them where it stays.
        let begin = body.count
        body.beginText(key, 0, field: 9)
        let textStart = body.count
        write(&body)
        let count = body.count - textStart
        let size = textStart - begin - 2 + count
        if size < 0x80, body.isASCII(from: textStart) {
            body[begin + 1] = UInt8(truncatingIfNeeded: size)
            body[textStart - 3] = UInt8(truncatingIfNeeded: count + 2)
            body[textStart - 1] = UInt8(truncatingIfNeeded: count)
            return
        }
        var text = ByteBuffer()
        swap(&text, &nested)
        text.removeAll(keeping: 4_096)
        body.copy(ByteRange(start: textStart, count: count), to: &text)
        body.truncate(to: begin)
        Self.add(key, text, to: &self)
        swap(&text, &nested)
    }

    private static func add(_ key: StaticString, _ text: borrowing ByteBuffer, to writer: inout SpanWriter) {
        writer.add(key, text.span)
    }

    /// Adds an attribute that is true.
    package mutating func add(_ key: StaticString) {
        beginAttribute(key, valueSize: 2)
        put { $0.appendField(2, varint: 1) }
    }

    /// Adds attributes that ``attributes(_:)`` has made. Not inside of an event.
    package mutating func add(madeBefore attributes: borrowing Span<UInt8>) { body.append(attributes) }

    /// The attributes that `write` adds, for ``add(madeBefore:)``: those that are the same in many spans are made once.
    package static func attributes(_ write: (inout SpanWriter) -> Void) -> [UInt8] {
        var writer = SpanWriter()
        write(&writer)
        return writer.body.withUnsafeBytes { Array($0) }
    }

    private mutating func addText(_ key: StaticString, _ text: borrowing Span<UInt8>) {
        beginText(key, count: text.count)
        if isEvent { nested.append(text) } else { body.append(text) }
    }

    /// Writes what stands before a text of so many bytes.
    private mutating func beginText(_ key: StaticString, count: Int) {
        if isEvent { nested.beginText(key, count, field: 3) } else { body.beginText(key, count, field: 9) }
    }

    private mutating func beginAttribute(_ key: StaticString, valueSize: Int) {
        if isEvent {
            nested.beginAttribute(key, valueSize: valueSize, field: 3)
        } else {
            body.beginAttribute(key, valueSize: valueSize, field: 9)
        }
    }

    private mutating func put(_ write: (inout ByteBuffer) -> Void) {
        if isEvent { write(&nested) } else { write(&body) }
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
        body.appendTag(11, .bytes)
        body.appendVarint(UInt64(nested.count))
        Self.append(nested, to: &body)
    }

    private static func append(_ text: borrowing ByteBuffer, to body: inout ByteBuffer) { body.append(text.span) }
}

extension ByteBuffer {
    /// Whether every byte from `start` on is below 0x80.
    fileprivate borrowing func isASCII(from start: Int) -> Bool {
        span(ByteRange(start: start, count: count - start)).isASCII
    }

    /// Begins an attribute (`KeyValue`) that is a text of so many bytes, up to the text itself.
    fileprivate mutating func beginText(_ key: StaticString, _ count: Int, field: UInt64) {
        let keyCount = key.utf8CodeUnitCount
        let size = keyCount + count + 6
        guard size < 0x80 else {
            beginAttribute(key, valueSize: Protobuf.fieldSize(count), field: field)
            appendTag(1, .bytes)
            appendVarint(UInt64(count))
            return
        }
        // Every length is one byte here: the tags and lengths before the key, and those behind it, are a word each.
        reserve(size + 10)
        append(lowestOf: field << 3 | 2 | UInt64(size) << 8 | 0x0A_0000 | UInt64(keyCount) << 24, count: 4)
        append(key)
        append(lowestOf: 0x0A_0012 | UInt64(count + 2) << 8 | UInt64(count) << 24, count: 4)
    }

    /// Appends an attribute (`KeyValue`) that is a number.
    fileprivate mutating func appendNumber(_ key: StaticString, _ value: UInt64, field: UInt64) {
        let keyCount = key.utf8CodeUnitCount
        guard keyCount < 0x70, value < 0x20_0000 else {
            beginAttribute(key, valueSize: 1 + Protobuf.size(value), field: field)
            appendField(3, varint: value)
            return
        }
        // As for texts: all but the key is two words, since the number has at most three times seven bits.
        let count = value < 0x80 ? 1 : value < 0x4000 ? 2 : 3
        let more: UInt64 = count == 1 ? 0 : count == 2 ? 0x80 : 0x8080
        let digits = value & 0x7F | (value & 0x3F80) << 1 | (value & 0x1F_C000) << 2 | more
        append(
            lowestOf: field << 3 | 2 | UInt64(keyCount + count + 5) << 8 | 0x0A_0000 | UInt64(keyCount) << 24, count: 4)
        append(key)
        append(lowestOf: 0x18_0012 | UInt64(count + 1) << 8 | digits << 24, count: 3 + count)
    }

    /// Begins an attribute (`KeyValue`), up to its value.
    fileprivate mutating func beginAttribute(_ key: StaticString, valueSize: Int, field: UInt64) {
        let keyCount = key.utf8CodeUnitCount
        let size = Protobuf.fieldSize(keyCount) + Protobuf.fieldSize(valueSize)
        appendTag(field, .bytes)
        appendVarint(UInt64(size))
        appendTag(1, .bytes)
        appendVarint(UInt64(keyCount))
        append(key)
        appendTag(2, .bytes)
        appendVarint(UInt64(valueSize))
    }
}

extension Span where Element == UInt8 {
    /// Whether every byte is below 0x80.
    fileprivate var isASCII: Bool {
        var all: UInt64 = 0
        if count >= 8 {
            var index = 0
            // SAFETY: any eight bytes are an integer, and the span checks that they lie within it.
            while count - index > 8 {
                all |= bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
                index += 8
            }
            // The last eight may have been looked at in part.
            all |= bytes.unsafeLoadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        } else {
            for index in 0..<count { all |= UInt64(self[unchecked: index]) }
        }
        return all & 0x8080_8080_8080_8080 == 0
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
