import ByteBuffers

/// An array or object whose end the scanner has not reached.
struct OpenContainer: BitwiseCopyable {
    /// Its node, or .max where it lies too deep to be kept.
    var node: UInt32
    /// For an object the number of names open before its own.
    var firstName: UInt32
    /// The offset of its opening bracket.
    var start: UInt32
    var isObject: Bool
}

extension JSONIndex {
    /// Indexes `text`, which must be one JSON value (RFC 8259 §2) within `limits`. After an error the index is empty.
    ///
    /// The work is linear in the length of the text and uses no recursion.
    package mutating func scan(
        _ text: Span<UInt8>, limits: Limits = Limits(), duplicateNames: DuplicateNames = .refused
    ) throws(JSONScanError) {
        removeAll(keepingNodes: .max)
        do {
            try scanText(text, limits: limits, duplicateNames: duplicateNames)
        } catch {
            removeAll(keepingNodes: .max)
            throw error
        }
    }

    private mutating func scanText(
        _ text: Span<UInt8>, limits: Limits, duplicateNames: DuplicateNames
    ) throws(JSONScanError) {
        let count = text.count
        guard count <= Int(Int32.max) else { throw JSONScanError(.tooLarge, at: 0) }
        // RFC 8259 §8.1: a byte order mark must not be sent, and need not be tolerated.
        if count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF { throw JSONScanError(.byteOrderMark, at: 0) }
        open.removeAll()
        var position = text.skippingWhitespace(from: 0)
        var name = ByteRange()
        var nameHasEscapes = false
        var container = OpenContainer(node: .max, firstName: 0, start: 0, isObject: false)

        value: while true {
            // At the first byte of a value.
            guard position < count else { throw JSONScanError(.unexpectedEnd, at: count) }
            let start = position
            let isKept = open.count <= limits.indexedDepth
            var current = UInt32.max
            if isKept {
                guard nodes.count < limits.nodes else { throw JSONScanError(.tooManyNodes, at: start) }
                current = UInt32(truncatingIfNeeded: nodes.count)
            }
            switch text[unchecked: position] {
            case UInt8(ascii: "\""):
                let hasEscapes = try text.scanString(&position)
                if isKept {
                    var node = JSONNode(kind: .string, start: start, name: name, nameHasEscapes: nameHasEscapes)
                    node.hasEscapes = hasEscapes
                    node.range.count = UInt32(truncatingIfNeeded: position - start)
                    nodes.append(node)
                }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard open.count < limits.depth else { throw JSONScanError(.tooDeep, at: start) }
                let isObject = text[unchecked: position] == UInt8(ascii: "{")
                if isKept {
                    let kind = isObject ? JSONKind.object : JSONKind.array
                    nodes.append(JSONNode(kind: kind, start: start, name: name, nameHasEscapes: nameHasEscapes))
                }
                position = text.skippingWhitespace(from: position + 1)
                guard position < count else { throw JSONScanError(.unexpectedEnd, at: count) }
                if text[unchecked: position] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    position += 1
                    if isKept { nodes[Int(current)].range.count = UInt32(truncatingIfNeeded: position - start) }
                    break
                }
                container = OpenContainer(
                    node: current, firstName: UInt32(truncatingIfNeeded: names.count),
                    start: UInt32(truncatingIfNeeded: start), isObject: isObject)
                open.append(container)
                if isKept, open.count <= limits.indexedDepth { nodes[Int(current)].hasIndexedChildren = true }
                if isObject {
                    name = try scanName(text, &position, hasEscapes: &nameHasEscapes)
                } else {
                    name = ByteRange()
                    nameHasEscapes = false
                }
                continue value
            case UInt8(ascii: "t"):
                try text.scanLiteral("true", &position)
                if isKept { appendScalar(.true, start, position, name, nameHasEscapes) }
            case UInt8(ascii: "f"):
                try text.scanLiteral("false", &position)
                if isKept { appendScalar(.false, start, position, name, nameHasEscapes) }
            case UInt8(ascii: "n"):
                try text.scanLiteral("null", &position)
                if isKept { appendScalar(.null, start, position, name, nameHasEscapes) }
            case UInt8(ascii: "-"), 0x30...0x39:
                try text.scanNumber(&position)
                if isKept { appendScalar(.number, start, position, name, nameHasEscapes) }
            default:
                throw JSONScanError(.unexpectedByte, at: position)
            }

            // Behind a value: close what ends here, up to the next value.
            while true {
                position = text.skippingWhitespace(from: position)
                if open.isEmpty { break value }
                guard position < count else { throw JSONScanError(.unexpectedEnd, at: count) }
                let byte = text[unchecked: position]
                if byte == UInt8(ascii: ",") {
                    if current != .max { nodes[Int(current)].next = UInt32(truncatingIfNeeded: nodes.count) }
                    position = text.skippingWhitespace(from: position + 1)
                    if container.isObject {
                        name = try scanName(text, &position, hasEscapes: &nameHasEscapes)
                    } else {
                        // What was read last may be the name of a member of the element before.
                        name = ByteRange()
                        nameHasEscapes = false
                    }
                    continue value
                }
                guard byte == (container.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw JSONScanError(.unexpectedByte, at: position)
                }
                position += 1
                current = container.node
                if current != .max {
                    nodes[Int(current)].range.count = UInt32(truncatingIfNeeded: position - Int(container.start))
                }
                if container.isObject { try closeObject(container, text, duplicateNames) }
                open.truncate(to: open.count - 1)
                if !open.isEmpty { container = open[open.count - 1] }
            }
        }
        guard position == count else { throw JSONScanError(.trailingText, at: position) }
    }

    @inline(__always)
    private mutating func appendScalar(
        _ kind: JSONKind, _ start: Int, _ end: Int, _ name: ByteRange, _ nameHasEscapes: Bool
    ) {
        var node = JSONNode(kind: kind, start: start, name: name, nameHasEscapes: nameHasEscapes)
        node.range.count = UInt32(truncatingIfNeeded: end - start)
        nodes.append(node)
    }

    /// Reads a name and its colon, up to the first byte of the value.
    @inline(__always)
    private mutating func scanName(
        _ text: Span<UInt8>, _ position: inout Int, hasEscapes: inout Bool
    ) throws(JSONScanError) -> ByteRange {
        guard position < text.count else { throw JSONScanError(.unexpectedEnd, at: text.count) }
        guard text[unchecked: position] == UInt8(ascii: "\"") else {
            throw JSONScanError(.unexpectedByte, at: position)
        }
        let start = position
        hasEscapes = try text.scanString(&position)
        let name = ByteRange(start: start, count: position - start)
        names.append(name, hasEscapes: hasEscapes, in: text)
        position = text.skippingWhitespace(from: position)
        guard position < text.count else { throw JSONScanError(.unexpectedEnd, at: text.count) }
        guard text[unchecked: position] == UInt8(ascii: ":") else { throw JSONScanError(.unexpectedByte, at: position) }
        position = text.skippingWhitespace(from: position + 1)
        return name
    }

    @inline(__always)
    private mutating func closeObject(
        _ container: OpenContainer, _ text: Span<UInt8>, _ policy: DuplicateNames
    ) throws(JSONScanError) {
        let known = names.duplicateCount
        names.close(from: Int(container.firstName), in: text, all: policy == .recorded)
        guard names.duplicateCount > known, policy == .refused else { return }
        throw JSONScanError(.duplicateName, at: Int(names.duplicate(known).name.start))
    }
}

extension Span where Element == UInt8 {
    /// The offset of the first byte at or after `start` that is no white space (RFC 8259 §2).
    @inline(__always)
    fileprivate func skippingWhitespace(from start: Int) -> Int {
        var index = start
        while index < count {
            let byte = self[unchecked: index]
            // Most texts have none: one comparison finds that out.
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
            index += 1
        }
        return index
    }

    /// Checks that `literal` stands at `position` and moves behind it.
    @inline(__always)
    fileprivate func scanLiteral(_ literal: StaticString, _ position: inout Int) throws(JSONScanError) {
        for index in 0..<literal.utf8CodeUnitCount {
            guard position + index < count else { throw JSONScanError(.unexpectedEnd, at: count) }
            // SAFETY: index is below the literal's length.
            guard self[unchecked: position + index] == literal.utf8Start[index] else {
                throw JSONScanError(.unexpectedByte, at: position + index)
            }
        }
        position += literal.utf8CodeUnitCount
    }

    /// Checks the number at `position` (RFC 8259 §6) and moves behind it.
    @inline(__always)
    fileprivate func scanNumber(_ position: inout Int) throws(JSONScanError) {
        var index = position
        func byte(_ index: Int) -> UInt8 { index < count ? self[unchecked: index] : 0 }
        func isDigit(_ index: Int) -> Bool { byte(index) &- 0x30 < 10 }
        func malformed(_ index: Int) -> JSONScanError {
            index < count ? JSONScanError(.invalidNumber, at: index) : JSONScanError(.unexpectedEnd, at: count)
        }
        if byte(index) == UInt8(ascii: "-") { index += 1 }
        guard isDigit(index) else { throw malformed(index) }
        if byte(index) == UInt8(ascii: "0") {
            index += 1
            guard !isDigit(index) else { throw malformed(index) }
        } else {
            repeat { index += 1 } while isDigit(index)
        }
        if byte(index) == UInt8(ascii: ".") {
            index += 1
            guard isDigit(index) else { throw malformed(index) }
            repeat { index += 1 } while isDigit(index)
        }
        if byte(index) | 0x20 == UInt8(ascii: "e") {
            index += 1
            if byte(index) == UInt8(ascii: "+") || byte(index) == UInt8(ascii: "-") { index += 1 }
            guard isDigit(index) else { throw malformed(index) }
            repeat { index += 1 } while isDigit(index)
        }
        position = index
    }

    /// Checks the string whose opening quote is at `position` (RFC 8259 §7), moves behind its closing quote, and says
    /// whether it has escapes.
    @inline(__always)
    fileprivate func scanString(_ position: inout Int) throws(JSONScanError) -> Bool {
        var index = position + 1
        var hasEscapes = false
        while true {
            index = skippingPlainText(from: index)
            guard index < count else { throw JSONScanError(.unexpectedEnd, at: count) }
            let byte = self[unchecked: index]
            switch byte {
            case UInt8(ascii: "\""):
                position = index + 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                index = try scanEscape(index)
            case 0x00..<0x20:
                throw JSONScanError(.controlCharacter, at: index)
            case 0x20..<0x80:
                index += 1
            default:
                index = try scanNonASCII(index)
            }
        }
    }

    /// The offset of the first byte at or after `start` that may end a run of plain text; less than eight bytes before
    /// the end of the text it is `start` itself.
    @inline(__always)
    private func skippingPlainText(from start: Int) -> Int {
        guard start + 8 <= count else { return start }
        // SAFETY: eight bytes from start lie within the span, and every bit pattern is a UInt64.
        let word = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)
        let special = UInt64(littleEndian: word).bytesEndingPlainText
        // Names and most values end here.
        if special != 0 { return start + special.trailingZeroBitCount >> 3 }
        return skippingLongPlainText(from: start + 8)
    }

    /// The same for long strings: by itself the loop keeps all it needs in registers.
    @inline(never)
    private func skippingLongPlainText(from start: Int) -> Int {
        let raw = bytes
        var index = start
        while index + 32 <= count {
            // SAFETY: 32 bytes from index lie within the span, and every bit pattern is two UInt64s.
            let first = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: SIMD2<UInt64>.self)
            let second = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: index + 16, as: SIMD2<UInt64>.self)
            let special = first.endingPlainText | second.endingPlainText
            if (special.x | special.y) & 0x8080_8080_8080_8080 != 0 { break }
            index += 32
        }
        while index + 8 <= count {
            // SAFETY: eight bytes from index lie within the span, and every bit pattern is a UInt64.
            let word = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
            let special = UInt64(littleEndian: word).bytesEndingPlainText
            if special != 0 { return index + special.trailingZeroBitCount >> 3 }
            index += 8
        }
        return index
    }

    /// Checks the characters from `index` on, up to the first ASCII one, and returns the offset behind them.
    @inline(never)
    private func scanNonASCII(_ start: Int) throws(JSONScanError) -> Int {
        var index = start
        while index < count, self[unchecked: index] >= 0x80 {
            let lead = self[unchecked: index]
            // Most scripts lie in these ranges, where any continuation bytes will do (RFC 3629 §4).
            if lead >= 0xE1, lead <= 0xEC, index + 2 < count {
                let second = self[unchecked: index + 1]
                let third = self[unchecked: index + 2]
                guard second & 0xC0 == 0x80, third & 0xC0 == 0x80 else { throw JSONScanError(.invalidUTF8, at: index) }
                index += 3
            } else if lead >= 0xC2, lead <= 0xDF, index + 1 < count {
                guard self[unchecked: index + 1] & 0xC0 == 0x80 else { throw JSONScanError(.invalidUTF8, at: index) }
                index += 2
            } else {
                let length = utf8SequenceLength(at: index)
                guard length > 0 else { throw JSONScanError(.invalidUTF8, at: index) }
                index += length
            }
        }
        return index
    }

    /// Checks the escape whose backslash is at `index`, and returns the offset behind it.
    @inline(never)
    private func scanEscape(_ index: Int) throws(JSONScanError) -> Int {
        guard index + 1 < count else { throw JSONScanError(.unexpectedEnd, at: count) }
        switch self[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return index + 2
        case UInt8(ascii: "u"):
            guard let first = jsonHexDigits(at: index + 2) else { throw JSONScanError(.invalidEscape, at: index) }
            guard first & 0xF800 == 0xD800 else { return index + 6 }
            // RFC 8259 §8.2 leaves what a lone surrogate means to chance: it has no UTF-8 form.
            guard first < 0xDC00, index + 7 < count, self[index + 6] == UInt8(ascii: "\\"),
                self[index + 7] == UInt8(ascii: "u"), let second = jsonHexDigits(at: index + 8)
            else { throw JSONScanError(.loneSurrogate, at: index) }
            guard second & 0xFC00 == 0xDC00 else { throw JSONScanError(.loneSurrogate, at: index) }
            return index + 12
        default:
            throw JSONScanError(.invalidEscape, at: index)
        }
    }
}

extension SIMD2<UInt64> {
    /// Has a high bit set where one of the bytes ends a run of plain text; see below.
    @inline(__always)
    fileprivate var endingPlainText: SIMD2<UInt64> {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = (self ^ (ones &* 0x22)) &- ones
        let backslashes = (self ^ (ones &* 0x5C)) &- ones
        return quotes | backslashes | (self &- (ones &* 0x20)) | self
    }
}

extension UInt64 {
    /// Of the eight bytes of this word, those that end a run of plain text (quote, backslash, control, non-ASCII) have
    /// their high bit set in the result; bytes above the lowest such byte may be set wrongly.
    @inline(__always)
    fileprivate var bytesEndingPlainText: UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // Of an ASCII byte the difference has its high bit only where it is below 0, and only there it borrows from the
        // byte above; bytes that are not ASCII are found by their own high bit, whatever becomes of the rest.
        let quotes: UInt64 = (self ^ (ones &* 0x22)) &- ones
        let backslashes: UInt64 = (self ^ (ones &* 0x5C)) &- ones
        let controls: UInt64 = self &- (ones &* 0x20)
        let found: UInt64 = quotes | backslashes | controls | self
        return found & (ones &* 0x80)
    }
}
