package import ByteBuffers

/// Tells spans, as ``SpanWriter`` has written them, in JSON: for standard output, and for the page of recent traces.
///
/// Ids are hexadecimal digits and times decimal strings, as OTLP's JSON has them (OTLP specification §JSON Protobuf
/// Encoding); attributes are one object, which is easier to read than OTLP's list.
package enum SpanText {
    /// The first id that stands in a span: which trace it belongs to. nil where the bytes are no span.
    package static func traceID(of span: borrowing Span<UInt8>) -> TraceID? {
        var reader = ProtobufReader(ByteRange(start: 0, count: span.count))
        while let field = reader.next(in: span) {
            guard field.number == 1, field.range.count == 16 else { continue }
            return TraceID(high: number(span, field.range.start), low: number(span, field.range.start + 8))
        }
        return nil
    }

    /// The spans of a run, each as the range of its own bytes.
    package static func spans(in run: borrowing Span<UInt8>) -> [ByteRange] {
        var found: [ByteRange] = []
        var reader = ProtobufReader(ByteRange(start: 0, count: run.count))
        while let field = reader.next(in: run) {
            if field.number == 2, field.type == .bytes { found.append(field.range) }
        }
        return found
    }

    /// Appends one span as an object.
    package static func append(_ span: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        var attributes = ByteBuffer()
        var events = ByteBuffer()
        var links = ByteBuffer()
        var hasFailed = false
        buffer.append("{")
        var reader = ProtobufReader(ByteRange(start: 0, count: span.count))
        while let field = reader.next(in: span) {
            let value = span.slice(field.range)
            switch field.number {
            case 1: appendID("\"traceId\":", value, to: &buffer)
            case 2: appendID(",\"spanId\":", value, to: &buffer)
            case 3: appendText(",\"traceState\":", value, to: &buffer)
            case 4: appendID(",\"parentSpanId\":", value, to: &buffer)
            case 5: appendText(",\"name\":", value, to: &buffer)
            case 6:
                buffer.append(",\"kind\":")
                buffer.appendDecimal(field.number64)
            case 7: appendTime(",\"startTimeUnixNano\":", field.number64, to: &buffer)
            case 8: appendTime(",\"endTimeUnixNano\":", field.number64, to: &buffer)
            case 9: appendAttribute(value, to: &attributes)
            case 11: appendEvent(value, to: &events)
            case 13: appendLink(value, to: &links)
            case 15: hasFailed = true
            default: break
            }
        }
        appendMembers(",\"attributes\":{", attributes.span, "}", to: &buffer)
        if !events.isEmpty { appendMembers(",\"events\":[", events.span, "]", to: &buffer) }
        if !links.isEmpty { appendMembers(",\"links\":[", links.span, "]", to: &buffer) }
        if hasFailed { buffer.append(",\"status\":\"error\"") }
        buffer.append("}")
    }

    private static func appendMembers(
        _ start: StaticString, _ members: borrowing Span<UInt8>, _ end: StaticString, to buffer: inout ByteBuffer
    ) {
        buffer.append(start)
        buffer.append(members)
        buffer.append(end)
    }

    private static func appendID(_ name: StaticString, _ id: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        buffer.append(name)
        buffer.append("\"")
        for index in 0..<id.count { buffer.appendHex(UInt64(id[index]), digits: 2) }
        buffer.append("\"")
    }

    private static func appendText(_ name: StaticString, _ text: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        buffer.append(name)
        buffer.appendJSONString(text)
    }

    private static func appendTime(_ name: StaticString, _ time: UInt64, to buffer: inout ByteBuffer) {
        buffer.append(name)
        buffer.append("\"")
        buffer.appendDecimal(time)
        buffer.append("\"")
    }

    private static func appendAttribute(_ pair: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        var reader = ProtobufReader(ByteRange(start: 0, count: pair.count))
        if !buffer.isEmpty { buffer.append(",") }
        while let field = reader.next(in: pair) {
            if field.number == 1 { buffer.appendJSONString(pair.slice(field.range)) }
            if field.number == 2 { appendValue(pair.slice(field.range), to: &buffer) }
        }
    }

    private static func appendValue(_ value: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        buffer.append(":")
        var reader = ProtobufReader(ByteRange(start: 0, count: value.count))
        guard let field = reader.next(in: value) else {
            buffer.append("null")
            return
        }
        switch field.number {
        case 1: buffer.appendJSONString(value.slice(field.range))
        case 2: if field.number64 == 0 { buffer.append("false") } else { buffer.append("true") }
        case 3:
            let number = Int64(bitPattern: field.number64)
            if number < 0 { buffer.append("-") }
            buffer.appendDecimal(number.magnitude)
        default: buffer.append("null")
        }
    }

    private static func appendEvent(_ event: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        var attributes = ByteBuffer()
        buffer.append(buffer.isEmpty ? "{" : ",{")
        var reader = ProtobufReader(ByteRange(start: 0, count: event.count))
        while let field = reader.next(in: event) {
            switch field.number {
            case 1: appendTime("\"timeUnixNano\":", field.number64, to: &buffer)
            case 2: appendText(",\"name\":", event.slice(field.range), to: &buffer)
            case 3: appendAttribute(event.slice(field.range), to: &attributes)
            default: break
            }
        }
        appendMembers(",\"attributes\":{", attributes.span, "}}", to: &buffer)
    }

    private static func appendLink(_ link: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        buffer.append(buffer.isEmpty ? "{" : ",{")
        var reader = ProtobufReader(ByteRange(start: 0, count: link.count))
        while let field = reader.next(in: link) {
            if field.number == 1 { appendID("\"traceId\":", link.slice(field.range), to: &buffer) }
            if field.number == 2 { appendID(",\"spanId\":", link.slice(field.range), to: &buffer) }
        }
        buffer.append("}")
    }

    private static func number(_ bytes: borrowing Span<UInt8>, _ start: UInt32) -> UInt64 {
        var value: UInt64 = 0
        for index in Int(start)..<(Int(start) + 8) { value = value << 8 | UInt64(bytes[index]) }
        return value
    }
}
