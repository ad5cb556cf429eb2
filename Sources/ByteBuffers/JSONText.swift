extension ByteBuffer {
    /// Appends `bytes` as a JSON string with its quotes (RFC 8259 §7): whatever the bytes are, what comes out is one
    /// string of valid UTF-8 without control characters. Invalid UTF-8 becomes U+FFFD, one for each bad byte;
    /// DEL, the control characters above it (NEL among them) and the line separators U+2028 and U+2029 are escaped, so that
    /// a log line stays one line for every reader.
    public mutating func appendJSONString(_ bytes: Span<UInt8>) {
        let plain = bytes.firstNotPlainInJSON(from: 0)
        reserve(plain + 2)
        append(UInt8(ascii: "\""))
        append(bytes.extracting(0..<plain))
        if plain < bytes.count { appendJSONEscaped(bytes, from: plain) }
        append(UInt8(ascii: "\""))
    }

    /// Appends what stands from `start` on, where something may have to be escaped.
    private mutating func appendJSONEscaped(_ bytes: Span<UInt8>, from start: Int) {
        var index = start
        var plainStart = start
        while true {
            index = bytes.firstNotPlainInJSON(from: index)
            if index == bytes.count { break }
            let byte = bytes[index]
            let sequence = byte < 0x80 ? 0 : bytes.utf8SequenceLength(at: index)
            let isLineSeparator =
                sequence == 3 && byte == 0xE2 && bytes[index + 1] == 0x80 && bytes[index + 2] & 0xFE == 0xA8
            let isControl = sequence == 2 && byte == 0xC2 && bytes[index + 1] < 0xA0
            if sequence > 0, !isLineSeparator, !isControl {
                index += sequence
                continue
            }
            append(bytes.extracting(plainStart..<index))
            if isLineSeparator {
                append(bytes[index + 2] == 0xA8 ? "\\u2028" : "\\u2029")
                index += 3
            } else if isControl {
                append("\\u00")
                appendHex(UInt64(bytes[index + 1]), digits: 2)
                index += 2
            } else {
                appendJSONEscape(byte)
                index += 1
            }
            plainStart = index
        }
        append(bytes.extracting(plainStart..<index))
    }

    /// Appends `text` as a JSON string with its quotes: for the control plane.
    public mutating func appendJSONString(_ text: String) {
        appendJSONString(Array(text.utf8).span)
    }

    private mutating func appendJSONEscape(_ byte: UInt8) {
        switch byte {
        case 0x22: append("\\\"")
        case 0x5C: append("\\\\")
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0A: append("\\n")
        case 0x0C: append("\\f")
        case 0x0D: append("\\r")
        case 0x80...0xFF: append("\\ufffd")
        default:
            append("\\u00")
            appendHex(UInt64(byte), digits: 2)
        }
    }
}

extension Span where Element == UInt8 {
    /// The offset of the first byte at or after `start` that does not stand for itself in a JSON string, or may begin
    /// a sequence that does not; the end where there is none. Eight bytes at a time.
    func firstNotPlainInJSON(from start: Int) -> Int {
        var index = start
        while count - index >= 8 {
            let hits = notPlainInJSON(at: index)
            if hits != 0 { return index + hits.trailingZeroBitCount / 8 }
            index += 8
        }
        if index == count { return count }
        // The rest is looked at together with some of the bytes before, which are plain.
        if index - start >= 8, notPlainInJSON(at: count - 8) == 0 { return count }
        while index < count {
            let byte = self[unchecked: index]
            if byte < 0x20 || byte >= 0x7F || byte == 0x22 || byte == 0x5C { return index }
            index += 1
        }
        return count
    }

    /// Marks among the eight bytes at `index`, in their high bits, those that ``firstNotPlainInJSON(from:)`` looks for.
    /// The lowest mark is exact.
    private func notPlainInJSON(at index: Int) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        // SAFETY: any eight bytes are an integer, and the span checks that they lie within it.
        let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        // In turn: below 0x20, quote, backslash, and 0x7F or above. A borrow can mark a byte above a true hit, never one
        // below.
        return ((word &- ones &* 0x20) | (quote &- ones) | (backslash &- ones) | (word &+ ones) | word) & highs
    }

    /// The length of the well-formed UTF-8 sequence that begins at `index` (RFC 3629 §4), or 0 where there is none:
    /// overlong forms, surrogates, values above U+10FFFF and cut sequences are not well-formed.
    public func utf8SequenceLength(at index: Int) -> Int {
        let first = self[index]
        let left = count - index
        func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            offset < left && range.contains(self[index + offset])
        }
        switch first {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: return continues(1) ? 2 : 0
        case 0xE0: return continues(1, 0xA0...0xBF) && continues(2) ? 3 : 0
        case 0xED: return continues(1, 0x80...0x9F) && continues(2) ? 3 : 0
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
        case 0xF0: return continues(1, 0x90...0xBF) && continues(2) && continues(3) ? 4 : 0
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xF4: return continues(1, 0x80...0x8F) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }
}
