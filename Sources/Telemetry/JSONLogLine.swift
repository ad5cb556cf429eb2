package import ByteBuffers

extension ByteBuffer {
    /// Appends `record` as one JSON object without a line end. Every member is in every line; what there is not is null,
    /// and lists without members are `{}` or `[]`.
    mutating func appendJSONLine(_ record: borrowing AccessLogRecord, dates: inout DateText) {
        appendJSONLine(record, dates: &dates) { field, line in
            if record.has(field) { line.appendJSONString(record.value(field)) } else { line.append("null") }
        }
    }

    /// Appends such a line, in which `text` appends the value of each field that is text, in the order of the members: a
    /// JSON string or null.
    mutating func appendJSONLine(
        _ record: borrowing AccessLogRecord, dates: inout DateText,
        _ text: (_ field: AccessLogField, _ line: inout ByteBuffer) -> Void
    ) {
        append("{\"time\":\"")
        dates.appendTimestamp(nanoseconds: record.time, to: &self)
        append("\",\"request_id\":")
        text(.requestID, &self)
        append(",\"trace_id\":\"")
        appendHex(record.traceID.high, digits: 16)
        appendHex(record.traceID.low, digits: 16)
        append("\",\"span_id\":\"")
        appendHex(record.spanID, digits: 16)
        append("\",\"trace_flags\":\"")
        appendHex(UInt64(record.traceFlags), digits: 2)
        append("\",\"client\":")
        text(.client, &self)
        append(",\"method\":")
        text(.method, &self)
        append(",\"host\":")
        text(.host, &self)
        append(",\"path\":")
        text(.path, &self)
        append(",\"protocol\":")
        text(.protocolVersion, &self)
        append(",\"route\":")
        text(.route, &self)
        append(",\"status\":")
        appendDecimal(record.status)
        append(",\"cause\":")
        text(.cause, &self)
        append(",\"bytes_in\":")
        appendDecimal(record.bytesIn)
        append(",\"bytes_out\":")
        appendDecimal(record.bytesOut)
        append(",\"duration_ms\":")
        appendMilliseconds(record.duration)
        append(",\"upstream\":")
        text(.upstream, &self)
        append(",\"upstream_address\":")
        text(.upstreamAddress, &self)
        append(",\"upstream_time_ms\":")
        if let time = record.upstreamTime { appendMilliseconds(time) } else { append("null") }
        append(",\"attempts\":")
        appendDecimal(record.attempts)
        appendLists(of: record)
        append(",\"user_agent\":")
        text(.userAgent, &self)
        append("}")
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
