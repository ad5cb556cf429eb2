package import ByteBuffers

/// Why a path has no one reading.
package enum PathFault: Equatable, Sendable {
    /// A `%` without two hexadecimal digits (RFC 3986 §2.1).
    case badPercentEncoding
    /// `%00` (RFC 3986 §7.3).
    case nul
    /// `..` above the root.
    case aboveRoot
    /// `\`, which is not a URI character and which many recipients read as `/`.
    case backslash
    /// A dot segment hidden behind `%2F`, `%5C` or `;`, or an overlong UTF-8 form: some recipients would climb, others
    /// not.
    case ambiguous

    /// A sentence for the answer.
    package var detail: StaticString {
        switch self {
        case .badPercentEncoding: "the path has a % without two hexadecimal digits"
        case .nul: "the path has %00"
        case .aboveRoot: "the path leads above the root"
        case .backslash: "the path has a backslash"
        case .ambiguous: "the path has a dot segment in disguise"
        }
    }
}

extension ByteBuffer {
    /// Appends the normal form of the path at `range` of this buffer, which begins with `/` and consists of visible
    /// ASCII.
    ///
    /// Percent-encoded unreserved characters are decoded and the digits of other triplets put in upper case
    /// (RFC 3986 §6.2.2); dot segments are removed (§5.2.4), encoded ones, too; empty segments stay. `%2F` and `%5C`
    /// stay encoded and never separate. The result is never longer than the input; the cost is linear.
    ///
    /// - Returns: Why the path is refused, with the buffer as it was before, or nil.
    package mutating func appendNormalisedPath(_ range: ByteRange) -> PathFault? {
        let start = count
        let fault = appendSegments(range)
        if fault != nil { truncate(to: start) }
        return fault
    }

    private mutating func appendSegments(_ range: ByteRange) -> PathFault? {
        reserve(Int(range.count))
        let root = count
        var index = Int(range.start)
        let end = Swift.min(range.end, count)
        while index < end {
            // Each turn begins at a `/` and ends at the next one.
            append(UInt8(ascii: "/"))
            index += 1
            let segment = count
            var isSuspicious = false
            while index < end, self[index] != UInt8(ascii: "/") {
                let byte = self[index]
                switch byte {
                case UInt8(ascii: "%"):
                    guard let decoded = percentEncoded(at: index, end: end) else { return .badPercentEncoding }
                    if let fault = appendTriplet(decoded, at: index, end: end, &isSuspicious) { return fault }
                    index += 3
                case UInt8(ascii: "\\"):
                    return .backslash
                default:
                    if byte == UInt8(ascii: ";") { isSuspicious = true }
                    append(byte)
                    index += 1
                }
            }
            if isSuspicious, hidesDotSegment(from: segment) { return .ambiguous }
            if let fault = removeDotSegment(from: segment, root: root, isLast: index == end) { return fault }
        }
        return nil
    }

    /// Appends the byte of a triplet if it is unreserved, else the triplet.
    private mutating func appendTriplet(
        _ decoded: UInt8, at index: Int, end: Int, _ isSuspicious: inout Bool
    ) -> PathFault? {
        if ByteClass.contains(decoded, ByteClass.unreserved) {
            append(decoded)
            return nil
        }
        if decoded == 0 { return .nul }
        if isOverlong(decoded, before: index + 3, end: end) { return .ambiguous }
        if decoded == UInt8(ascii: "/") || decoded == UInt8(ascii: "\\") { isSuspicious = true }
        append(UInt8(ascii: "%"))
        append(self[index + 1].asciiUppercased)
        append(self[index + 2].asciiUppercased)
        return nil
    }

    /// Whether `first` begins an overlong UTF-8 form (RFC 3629 §3): some decoders make an ASCII character of it.
    private func isOverlong(_ first: UInt8, before index: Int, end: Int) -> Bool {
        guard let second = percentEncoded(at: index, end: end), second & 0xC0 == 0x80 else { return false }
        switch first {
        case 0xC0, 0xC1: return true
        case 0xE0: return second < 0xA0
        case 0xF0: return second < 0x90
        default: return false
        }
    }

    /// Whether a piece of the segment from `start` to the end, cut at `%2F` and `%5C`, is `.` or `..` when what follows
    /// a `;` is left out, as some servers leave it out.
    private func hidesDotSegment(from start: Int) -> Bool {
        var piece = start
        var index = start
        while true {
            let separatorLength = encodedSeparatorLength(at: index)
            if index == count || separatorLength > 0 || self[index] == UInt8(ascii: ";") {
                let length = index - piece
                let isDots =
                    (length == 1 || length == 2) && self[piece] == UInt8(ascii: ".")
                    && self[index - 1] == UInt8(ascii: ".")
                if isDots { return true }
                while index < count, encodedSeparatorLength(at: index) == 0 { index += 1 }
                if index == count { return false }
                index += encodedSeparatorLength(at: index)
                piece = index
            } else {
                index += 1
            }
        }
    }

    private func encodedSeparatorLength(at index: Int) -> Int {
        guard let byte = percentEncoded(at: index, end: count) else { return 0 }
        return byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") ? 3 : 0
    }

    /// Takes the segment from `start` to the end away if it is `.`, and the one before it, too, if it is `..`.
    private mutating func removeDotSegment(from start: Int, root: Int, isLast: Bool) -> PathFault? {
        let length = count - start
        guard length == 1 || length == 2, self[start] == UInt8(ascii: "."), self[count - 1] == UInt8(ascii: ".") else {
            return nil
        }
        var slash = start - 1
        if length == 2 {
            if slash == root { return .aboveRoot }
            repeat { slash -= 1 } while self[slash] != UInt8(ascii: "/")
        }
        truncate(to: isLast ? slash + 1 : slash)
        return nil
    }

    private func percentEncoded(at index: Int, end: Int) -> UInt8? {
        guard end - index >= 3, self[index] == UInt8(ascii: "%"),
            let high = self[index + 1].hexValue, let low = self[index + 2].hexValue
        else { return nil }
        return high << 4 | low
    }
}

extension UInt8 {
    /// The upper-case letter for `a`...`z`, every other byte unchanged.
    fileprivate var asciiUppercased: UInt8 { self &- 0x61 < 26 ? self & 0xDF : self }
}
