import ByteBuffers

extension ByteBuffer {
    /// Appends `record` in the combined format without a line end:
    /// `client - - [time] "request" status bytes "referer" "user agent"`.
    mutating func appendCombinedLine(_ record: borrowing AccessLogRecord, dates: inout DateText) {
        appendLogValue(.client, of: record, dates: &dates)
        append(" - - [")
        dates.appendLogDate(second: record.time.wholeSeconds, to: &self)
        append("] \"")
        if record.has(.method) {
            appendLogText(record.value(.method))
            append(" ")
            appendLogText(record.value(.path))
            if record.has(.query) {
                append("?")
                appendLogText(record.value(.query))
            }
            append(" ")
            appendLogText(record.value(.protocolVersion))
        } else {
            append("-")
        }
        append("\" ")
        // Three digits, also where there was no answer: that is how those who read such lines know it.
        if record.status < 100 { append("0") }
        if record.status < 10 { append("0") }
        appendDecimal(record.status)
        append(" ")
        appendDecimal(record.bytesOut)
        append(" \"")
        appendLogValue(.referer, of: record, dates: &dates)
        append("\" \"")
        appendLogValue(.userAgent, of: record, dates: &dates)
        append("\"")
    }

    /// Appends one field as a template has it: escaped text, a number, `key=variant/reason` and
    /// `name=upstream/status/cause/milliseconds` joined by commas, or `-` where there is nothing to say.
    mutating func appendLogValue(
        _ field: AccessLogField, of record: borrowing AccessLogRecord, dates: inout DateText
    ) {
        switch field {
        case .time: dates.appendTimestamp(nanoseconds: record.time, to: &self)
        case .traceID:
            appendHex(record.traceID.high, digits: 16)
            appendHex(record.traceID.low, digits: 16)
        case .spanID: appendHex(record.spanID, digits: 16)
        case .traceFlags: appendHex(UInt64(record.traceFlags), digits: 2)
        case .status: appendDecimal(record.status)
        case .bytesIn: appendDecimal(record.bytesIn)
        case .bytesOut: appendDecimal(record.bytesOut)
        case .duration: appendMilliseconds(record.duration)
        case .upstreamTime:
            if let time = record.upstreamTime { appendMilliseconds(time) } else { append("-") }
        case .attempts: appendDecimal(record.attempts)
        case .flags: appendFlags(of: record)
        case .parts: appendParts(of: record)
        case .marks: if record.marks.isEmpty { append("-") } else { appendMarks(record.marks, quote: "") }
        case .timeSplit: if let split = record.split { appendPlainSplit(split) } else { append("-") }
        case .parseTime, .queueTime, .connectTime, .uploadTime, .firstByteTime, .bodyTime, .writeTime:
            if let share = record.split?[field] { appendMilliseconds(share) } else { append("-") }
        case .requestID, .client, .method, .host, .path, .query, .protocolVersion, .route, .cause, .upstream,
            .upstreamAddress, .user, .userAgent, .referer:
            appendTextOrDash(record.value(field))
        }
    }

    private mutating func appendFlags(of record: borrowing AccessLogRecord) {
        if record.flags.isEmpty { append("-") }
        for index in record.flags.indices {
            if index > 0 { append(",") }
            let flag = record.flags[index]
            appendLogText(record.span(flag.key))
            append("=")
            appendLogText(record.span(flag.variant))
            append("/")
            appendLogText(record.span(flag.reason))
        }
    }

    private mutating func appendParts(of record: borrowing AccessLogRecord) {
        if record.parts.isEmpty { append("-") }
        for index in record.parts.indices {
            if index > 0 { append(",") }
            let part = record.parts[index]
            appendLogText(record.span(part.name))
            append("=")
            appendTextOrDash(record.span(part.upstream))
            append("/")
            appendDecimal(part.status)
            append("/")
            appendTextOrDash(record.span(part.cause))
            append("/")
            appendMilliseconds(part.duration)
            if !part.state.isEmpty {
                append("/")
                append(record.span(part.state))
            }
        }
    }

    private mutating func appendTextOrDash(_ text: borrowing Span<UInt8>) {
        if text.isEmpty { append("-") } else { appendLogText(text) }
    }

    /// Appends text as the combined format has it: `"`, `\`, control characters and everything beyond ASCII as `\xHH`.
    mutating func appendLogText(_ text: borrowing Span<UInt8>) {
        var plain = 0
        for index in text.indices {
            let byte = text[index]
            if byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
            append(text.extracting(plain..<index))
            append("\\x")
            appendUpperHex(byte >> 4)
            appendUpperHex(byte & 15)
            plain = index + 1
        }
        append(text.extracting(plain..<text.count))
    }

    private mutating func appendUpperHex(_ nibble: UInt8) {
        append(nibble < 10 ? nibble + UInt8(ascii: "0") : nibble + (UInt8(ascii: "A") - 10))
    }
}

extension Int64 {
    /// Of nanoseconds, the seconds that are full; before 1970, the second that has begun.
    fileprivate var wholeSeconds: Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
