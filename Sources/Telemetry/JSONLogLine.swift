package import ByteBuffers

/// Members of a line that are text and stand side by side, or alone between others.
package enum LogTextGroup: Sendable {
    case requestID, request, cause, upstream, userAgent

    /// The members, in their order.
    package var fields: [AccessLogField] {
        switch self {
        case .requestID: [.requestID]
        case .request: [.client, .method, .host, .path, .protocolVersion, .route]
        case .cause: [.cause]
        case .upstream: [.upstream, .upstreamAddress]
        case .userAgent: [.userAgent]
        }
    }
}

extension ByteBuffer {
    /// Appends `record` as one JSON object without a line end. Every member is in every line; what there is not is null,
    /// and lists without members are `{}` or `[]`.
    mutating func appendJSONLine(_ record: borrowing AccessLogRecord, dates: inout DateText) {
        appendJSONLine(record, dates: &dates) { group, line in
            for field in group.fields {
                line.append(",\"")
                line.append(field.name)
                line.append("\":")
                if record.has(field) { line.appendJSONString(record.value(field)) } else { line.append("null") }
            }
        }
    }

    /// Appends such a line, of which `text` appends what is text: each member of a group with a comma before it, its name
    /// and its value, a JSON string or null.
    mutating func appendJSONLine(
        _ record: borrowing AccessLogRecord, dates: inout DateText,
        _ text: (_ group: LogTextGroup, _ line: inout ByteBuffer) -> Void
    ) {
        append("{\"time\":\"")
        dates.appendTimestamp(nanoseconds: record.time, to: &self)
        if let id = record.newRequestID {
            appendIDs(of: record, id)
        } else {
            append("\"")
            text(.requestID, &self)
            append(",\"trace_id\":\"")
            append(HexText(record.traceID.high, record.traceID.low))
            append("\",\"span_id\":\"")
            appendHex(record.spanID, digits: 16)
            append("\",\"trace_flags\":\"")
            appendHex(UInt64(record.traceFlags), digits: 2)
            append("\"")
        }
        text(.request, &self)
        append(",\"status\":")
        if (100..<1_000).contains(record.status) {
            appendThreeDigits(UInt64(record.status))
        } else {
            appendDecimal(record.status)
        }
        text(.cause, &self)
        append(",\"bytes_in\":")
        appendDecimal(record.bytesIn)
        append(",\"bytes_out\":")
        appendDecimal(record.bytesOut)
        append(",\"duration_ms\":")
        appendMilliseconds(record.duration)
        text(.upstream, &self)
        append(",\"upstream_time_ms\":")
        if let time = record.upstreamTime { appendMilliseconds(time) } else { append("null") }
        append(",\"attempts\":")
        appendDecimal(record.attempts)
        appendLists(of: record)
        text(.userAgent, &self)
        append("}")
    }

    /// Appends the ids, from the quote behind the time on: digits of fixed length at fixed places, and nothing else but what
    /// stands between them in every line.
    private mutating func appendIDs(of record: borrowing AccessLogRecord, _ request: HexText) {
        let between: StaticString = """
            ","request_id":"--------------------------------","trace_id":"--------------------------------","span_id":"\
            ----------------","trace_flags":"--"
            """
        let count = between.utf8CodeUnitCount
        let trace = HexText(record.traceID.high, record.traceID.low)
        let span = HexText(record.spanID, UInt64(record.traceFlags) << 56)
        _ = write(minimum: count + 16) { target in
            // SAFETY: the last store, of 16 bytes for two digits, begins before the end of the text, and there is room for so
            // many behind it.
            target.baseAddress?.copyMemory(from: between.utf8Start, byteCount: count)
            request.store(to: target, at: 16)
            trace.store(to: target, at: 62)
            span.storeSecond(to: target, at: 140)
            target.storeBytes(of: UInt8(ascii: "\""), toByteOffset: 142, as: UInt8.self)
            span.storeFirst(to: target, at: 107)
            return count
        }
    }

    /// Appends the members that have members of their own; most often none.
    private mutating func appendLists(of record: borrowing AccessLogRecord) {
        if record.flags.isEmpty, record.parts.isEmpty, record.marks.isEmpty {
            append(",\"flags\":{},\"parts\":{},\"marks\":[],\"time_split_ms\":null")
            return
        }
        append(",\"flags\":{")
        for index in record.flags.indices {
            if index > 0 { append(",") }
            let flag = record.flags[index]
            appendJSONString(record.span(flag.key))
            append(":{\"variant\":")
            appendJSONString(record.span(flag.variant))
            append(",\"reason\":")
            appendJSONString(record.span(flag.reason))
            append("}")
        }
        append("},\"parts\":{")
        for index in record.parts.indices {
            if index > 0 { append(",") }
            let part = record.parts[index]
            appendJSONString(record.span(part.name))
            append(":{\"upstream\":")
            appendStringOrNull(record.span(part.upstream))
            append(",\"status\":")
            appendDecimal(part.status)
            append(",\"cause\":")
            appendStringOrNull(record.span(part.cause))
            append(",\"duration_ms\":")
            appendMilliseconds(part.duration)
            if !part.state.isEmpty {
                append(",\"state\":")
                appendJSONString(record.span(part.state))
            }
            append("}")
        }
        append("},\"marks\":[")
        appendMarks(record.marks, quote: "\"")
        append("],\"time_split_ms\":")
        if record.marks.contains(.slow), let split = record.split { appendJSONSplit(split) } else { append("null") }
    }

    /// Appends nanoseconds as milliseconds with three decimals, cut and not rounded.
    package mutating func appendMilliseconds(_ nanoseconds: UInt64) {
        let microseconds = nanoseconds / 1_000
        let whole = microseconds / 1_000
        let decimals = Self.threeDigits(microseconds &- whole &* 1_000)
        if whole < 10 { return append(lowestOf: (whole + 0x30) | 0x2E00 | decimals << 16, count: 5) }
        appendDecimal(whole)
        append(lowestOf: 0x2E | decimals << 8, count: 4)
    }

    private mutating func appendStringOrNull(_ text: borrowing Span<UInt8>) {
        if text.isEmpty { append("null") } else { appendJSONString(text) }
    }
}
