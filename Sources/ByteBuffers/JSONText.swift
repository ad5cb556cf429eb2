extension ByteBuffer {
    /// Appends `bytes` as a JSON string with its quotes (RFC 8259 §7): whatever the bytes are, what comes out is one
    /// string of valid UTF-8 without control characters. Invalid UTF-8 becomes U+FFFD, one for each bad byte;
    /// DEL, the control characters above it (NEL among them) and the line separators U+2028 and U+2029 are escaped, so that
    /// a log line stays one line for every reader.
    public mutating func appendJSONString(_ bytes: Span<UInt8>) {
        if bytes.count <= 6, bytes.count > 0 {
            // With its quotes it is one word.
            let text = bytes.withUnsafeBytes { $0.word(at: 0) }
            let beyond: UInt64 = 0x2020_2020_2020_2020 << UInt64(8 * bytes.count)
            if (text | beyond).notPlainInJSON == 0 {
                let quotes: UInt64 = 0x22 | 0x22 << UInt64(8 * bytes.count + 8)
                return append(lowestOf: text << 8 | quotes, count: bytes.count + 2)
            }
        }
        // Two quotes, and what the last word overhangs.
        reserve(bytes.count + 10)
        append(UInt8(ascii: "\""))
        let plain = bytes.withUnsafeBytes { source in
            // SAFETY: reserve made room for all bytes of the source and eight more behind `tail`.
            source.copyPlainInJSON(to: base.unsafelyUnwrapped + tail)
        }
        tail += plain
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
            let hits = word(at: index).notPlainInJSON
            if hits != 0 { return index + hits.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count, self[unchecked: index].isPlainInJSON { index += 1 }
        return index
    }

    /// The eight bytes at `index`, the first one lowest.
    @inline(__always)
    fileprivate func word(at index: Int) -> UInt64 {
        // SAFETY: any eight bytes are an integer, and the span checks that they lie within it.
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
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

extension UnsafeRawBufferPointer {
    /// Copies the bytes before the first one that may have to be escaped, and up to eight more behind them; how many stand
    /// before it. The target has room for eight bytes more than there are.
    @inline(__always)
    fileprivate func copyPlainInJSON(to target: UnsafeMutableRawPointer) -> Int {
        var index = 0
        while count - index >= 16 {
            let words = loadUnaligned(fromByteOffset: index, as: SIMD2<UInt64>.self)
            if words.hasNotPlainInJSON { return copyWords(from: index, to: target) }
            target.storeBytes(of: words, toByteOffset: index, as: SIMD2<UInt64>.self)
            index += 16
        }
        if index == count { return count }
        if index > 0 {
            // The rest, with some of the bytes before, which are plain.
            let words = loadUnaligned(fromByteOffset: count - 16, as: SIMD2<UInt64>.self)
            if words.hasNotPlainInJSON { return copyWords(from: index, to: target) }
            target.storeBytes(of: words, toByteOffset: count - 16, as: SIMD2<UInt64>.self)
            return count
        }
        if count >= 8 {
            // Two words that overlap where there are less than sixteen bytes.
            let first = loadUnaligned(fromByteOffset: 0, as: UInt64.self)
            let last = loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            if SIMD2(first, last).hasNotPlainInJSON { return copyWords(from: 0, to: target) }
            target.storeBytes(of: first, as: UInt64.self)
            target.storeBytes(of: last, toByteOffset: count - 8, as: UInt64.self)
            return count
        }
        return copyWords(from: 0, to: target)
    }

    /// The same from `index` on, eight bytes at a time.
    @inline(__always)
    private func copyWords(from start: Int, to target: UnsafeMutableRawPointer) -> Int {
        var index = start
        while index < count {
            let rest = count - index
            let word = word(at: index)
            target.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
            // What lies beyond the end is made plain.
            let beyond: UInt64 = rest < 8 ? 0x2020_2020_2020_2020 << UInt64(8 * rest) : 0
            let hits = (word | beyond).notPlainInJSON
            if hits != 0 { return index + hits.trailingZeroBitCount / 8 }
            index += 8
        }
        return count
    }

    /// The eight bytes at `index`, which lies within, the first one lowest; zeros for those beyond the end.
    @inline(__always)
    fileprivate func word(at index: Int) -> UInt64 {
        let rest = count - index
        if rest >= 8 { return UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self)) }
        if count >= 8 {
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
            return word >> UInt64(8 * (8 - rest))
        }
        if rest >= 4 {
            let low = UInt32(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt32.self))
            let high = UInt32(littleEndian: loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            return UInt64(low) | UInt64(high) << UInt64(8 * (rest - 4))
        }
        let middle = rest / 2
        return UInt64(self[index]) | UInt64(self[index + middle]) << UInt64(8 * middle)
            | UInt64(self[count - 1]) << UInt64(8 * (rest - 1))
    }
}

extension SIMD2<UInt64> {
    /// Whether one of the sixteen bytes does not stand for itself in a JSON string, or may begin a sequence that does not.
    @inline(__always)
    fileprivate var hasNotPlainInJSON: Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = self ^ (ones &* 0x22)
        let backslash = self ^ (ones &* 0x5C)
        // As for one word, see below.
        let marks = (self &- ones &* 0x20) | (quote &- ones) | (backslash &- ones) | (self &+ ones) | self
        return (marks.x | marks.y) & ones << 7 != 0
    }
}

extension UInt64 {
    /// Marks among eight bytes, in their high bits, those that do not stand for themselves in a JSON string, or may begin a
    /// sequence that does not. The lowest mark is exact.
    fileprivate var notPlainInJSON: UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let quote = self ^ (ones &* 0x22)
        let backslash = self ^ (ones &* 0x5C)
        // In turn: below 0x20, quote, backslash, and 0x7F or above. A borrow can mark a byte above a true hit, never one
        // below.
        return ((self &- ones &* 0x20) | (quote &- ones) | (backslash &- ones) | (self &+ ones) | self) & highs
    }
}

extension UInt8 {
    /// Whether the byte stands for itself in a JSON string, whatever follows.
    fileprivate var isPlainInJSON: Bool { self >= 0x20 && self < 0x7F && self != 0x22 && self != 0x5C }
}
