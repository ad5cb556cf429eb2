package import ByteBuffers

/// The weak entity tag of a view: a hash of its body, the same for the same body in every worker and after a restart.
package struct EntityTag: Equatable, Sendable {
    let hash: UInt64

    /// The tag of `body`.
    package init(of body: Span<UInt8>) {
        hash = body.hash64(seed: 0)
    }

    /// The value of the `ETag` field: `W/"0123456789abcdef"`.
    package func append(to output: inout ByteBuffer) {
        output.append("W/\"")
        output.appendHex(hash, digits: 16)
        output.append(UInt8(ascii: "\""))
    }

    /// Whether an `If-None-Match` field of this value names this tag, so that the answer is 304 (RFC 9110 §13.1.2): by
    /// weak comparison, in a list, or by `*`. What is malformed names nothing from there on.
    package func isNamed(byIfNoneMatch value: Span<UInt8>) -> Bool {
        let value = value.trimmed
        if value.count == 1, value[0] == UInt8(ascii: "*") { return true }
        var index = 0
        while index < value.count {
            let byte = value[index]
            if byte == UInt8(ascii: ",") || byte == 0x20 || byte == 0x09 {
                index += 1
                continue
            }
            if byte == UInt8(ascii: "W"), index + 1 < value.count, value[index + 1] == UInt8(ascii: "/") { index += 2 }
            guard index < value.count, value[index] == UInt8(ascii: "\""),
                let end = value.firstIndex(of: UInt8(ascii: "\""), from: index + 1)
            else { return false }
            if matches(value.extracting((index + 1)..<end)) { return true }
            index = end + 1
            // Only white space and a comma may follow.
            while index < value.count, value[index] == 0x20 || value[index] == 0x09 { index += 1 }
            if index < value.count, value[index] != UInt8(ascii: ",") { return false }
        }
        return false
    }

    private func matches(_ opaque: Span<UInt8>) -> Bool {
        guard opaque.count == 16 else { return false }
        for index in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: hash >> UInt64(60 - 4 * index)) & 15
            guard opaque[index] == UInt8.hexDigit(nibble).asciiLowercased else { return false }
        }
        return true
    }
}
