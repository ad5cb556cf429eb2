package import ByteBuffers

extension ByteBuffer {
    /// Appends `record` as one JSON object without a line end. Every member is in every line; what there is not is null,
    /// and lists without members are `{}` or `[]`.
    mutating func appendJSONLine(_ record: borrowing AccessLogRecord, dates: inout DateText) {
        append("{\"time\":\"")
        dates.appendTimestamp(nanoseconds: record.time, to: &self)
        append("\",\"request_id\":")
        appendText(.requestID, of: record)
        append(",\"trace_id\":\"")
        appendHex(record.traceID.high, digits: 16)
        appendHex(record.traceID.low, digits: 16)
        append("\",\"span_id\":\"")
        appendHex(record.spanID, digits: 16)
        append("\",\"trace_flags\":\"")
        appendHex(UInt64(record.traceFlags), digits: 2)
        append("\",\"client\":")
        appendText(.client, of: record)
        append(",\"method\":")
        appendText(.method, of: record)
        append(",\"host\":")
        appendText(.host, of: record)
        append(",\"path\":")
        appendText(.path, of: record)
        append(",\"protocol\":")
        appendText(.protocolVersion, of: record)
        append(",\"route\":")
        appendText(.route, of: record)
        append(",\"status\":")
        appendDecimal(record.status)
        append(",\"cause\":")
        appendText(.cause, of: record)
        append(",\"bytes_in\":")
        appendDecimal(record.bytesIn)
        append(",\"bytes_out\":")
        appendDecimal(record.bytesOut)
        append(",\"duration_ms\":")
        appendMilliseconds(record.duration)
        append(",\"upstream\":")
        appendText(.upstream, of: record)
        append(",\"upstream_address\":")
        appendText(.upstreamAddress, of: record)
        append(",\"upstream_time_ms\":")
        if let time = record.upstreamTime { appendMilliseconds(time) } else { append("null") }
        append(",\"attempts\":")
        appendDecimal(record.attempts)
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
            append("}")
        }
        append("},\"marks\":[")
        appendMarks(record.marks, quote: "\"")
        append("],\"time_split_ms\":")
        if record.marks.contains(.slow), let split = record.split { appendJSONSplit(split) } else { append("null") }
        append(",\"user_agent\":")
        appendText(.userAgent, of: record)
        append("}")
    }

    /// Appends nanoseconds as milliseconds with three decimals, cut and not rounded.
    package mutating func appendMilliseconds(_ nanoseconds: UInt64) {
        let microseconds = nanoseconds / 1_000
        appendDecimal(microseconds / 1_000)
        append(".")
        let rest = microseconds % 1_000
        if rest < 100 { append("0") }
        if rest < 10 { append("0") }
        appendDecimal(rest)
    }

    private mutating func appendText(_ field: AccessLogField, of record: borrowing AccessLogRecord) {
        if record.has(field) { appendJSONString(record.value(field)) } else { append("null") }
    }

    private mutating func appendStringOrNull(_ text: borrowing Span<UInt8>) {
        if text.isEmpty { append("null") } else { appendJSONString(text) }
    }
}
