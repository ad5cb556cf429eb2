/// What a byte may be in the grammar of HTTP: one table look-up each.
///
/// The tables of the tests derive the same classes from the grammar of the RFCs, byte by byte.
enum ByteClass {
    /// `tchar` of RFC 9110 §5.6.2: methods, field names, list tokens.
    static let token: UInt8 = 1
    /// What may stand in a request target: visible ASCII without `#` (RFC 3986 §3.5 keeps fragments out of requests).
    static let target: UInt8 = 2
    /// `unreserved` and `sub-delims` of RFC 3986 §2: what a registered name is made of, besides `%xx`.
    static let registeredName: UInt8 = 4
    /// A target byte that means nothing to a path: all but `/`, `%`, `?`, `\`.
    static let plainPath: UInt8 = 8
    /// `unreserved` of RFC 3986 §2.3: percent-encoding such a byte changes nothing, so it is undone.
    static let unreserved: UInt8 = 16

    /// One character for each byte value, 16 in a row: 0x40 and the classes above as bits.
    private static var table: StaticString {
        """
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @OJAOCOONNOON__B\
        __________JNJNJB\
        J_______________\
        ___________JBJK_\
        K_______________\
        ___________JKJ_@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@\
        @@@@@@@@@@@@@@@@
        """
    }

    /// Whether `byte` belongs to any of `classes`.
    @inline(__always)
    static func contains(_ byte: UInt8, _ classes: UInt8) -> Bool {
        // SAFETY: the table has 256 characters of one byte each and lives for ever.
        table.utf8Start[Int(byte)] & classes != 0
    }

    /// Whether `byte` is a `tchar` (RFC 9110 §5.6.2).
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool { contains(byte, token) }
}

extension Span where Element == UInt8 {
    /// Whether the bytes are a token: at least one `tchar` and nothing else (RFC 9110 §5.6.2).
    package var isToken: Bool {
        for index in 0..<count where !ByteClass.isToken(self[unchecked: index]) { return false }
        return count > 0
    }

    /// The offset of the first byte in `start..<end` below 0x20 or equal to 0x7F, or `end`. Sixteen bytes at a time.
    @inline(__always)
    func firstControl(from start: Int, to end: Int) -> Int {
        let bytes = bytes
        var index = start
        while end - index >= 16 {
            // SAFETY: any eight bytes are an integer, and the span checks that they lie within it.
            let low = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
            let high = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index + 8, as: UInt64.self))
            let lowControls = low.markedControls
            let highControls = high.markedControls
            if lowControls | highControls != 0 {
                let bit = lowControls != 0 ? lowControls.trailingZeroBitCount : 64 + highControls.trailingZeroBitCount
                return index + bit / 8
            }
            index += 16
        }
        while index < end {
            let byte = self[unchecked: index]
            if byte < 0x20 || byte == 0x7F { return index }
            index += 1
        }
        return end
    }
}

extension UInt64 {
    /// The high bit of each of its eight bytes that is below 0x20 or equal to 0x7F. The lowest one that is set is
    /// exact; above it, a byte can be marked wrongly.
    @inline(__always)
    fileprivate var markedControls: UInt64 {
        // Below 0x20 a subtraction borrows into the high bit; 0x7F plus one carries into it.
        let below = self &- 0x2020_2020_2020_2020
        let delete = (self & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x0101_0101_0101_0101
        return (below | delete) & ~self & 0x8080_8080_8080_8080
    }
}
