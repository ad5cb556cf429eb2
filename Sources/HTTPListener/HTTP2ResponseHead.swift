import ByteBuffers
import CNghttp2
import HTTPMessage

/// Turns the field lines that an exchange has written into what nghttp2 encodes.
///
/// The lines stay where they are; only their names are put into lower case, in place. Fields about a connection of
/// HTTP/1 are left out, whoever wrote them (RFC 9113 §8.2.2).
struct HTTP2ResponseHead: ~Copyable {
    private var fields = PlainList<nghttp2_nv>()

    /// A head without fields.
    init() {}

    /// Reads the status and the lines of a head, and lets `submit` have them.
    ///
    /// - Parameters:
    ///   - output: Three digits, then lines, each with its line's end.
    ///   - submit: Takes the fields; it copies what it keeps.
    mutating func read(
        _ output: inout ByteBuffer, _ submit: (UnsafePointer<nghttp2_nv>, Int) -> Void
    ) {
        fields.removeAll(keeping: 128)
        output.lowercaseNames(from: 3)
        output.withUnsafeBytes { bytes in
            guard bytes.count >= 3, let base = bytes.baseAddress else { return }
            append(":status", base, 3)
            gather(bytes, from: 3)
            fields.withUnsafeBufferPointer { submit($0.baseAddress.unsafelyUnwrapped, $0.count) }
        }
    }

    /// Reads trailer lines, and lets `submit` have them.
    mutating func readTrailers(_ lines: inout ByteBuffer, _ submit: (UnsafePointer<nghttp2_nv>, Int) -> Void) {
        fields.removeAll(keeping: 128)
        lines.lowercaseNames(from: 0)
        lines.withUnsafeBytes { bytes in
            gather(bytes, from: 0)
            guard !fields.isEmpty else { return }
            fields.withUnsafeBufferPointer { submit($0.baseAddress.unsafelyUnwrapped, $0.count) }
        }
    }

    private mutating func gather(_ bytes: UnsafeRawBufferPointer, from start: Int) {
        guard let base = bytes.baseAddress else { return }
        var line = start
        while line < bytes.count {
            var colon = line
            while colon < bytes.count, bytes[colon] != UInt8(ascii: ":") { colon += 1 }
            var end = colon
            while end < bytes.count, bytes[end] != UInt8(ascii: "\r") { end += 1 }
            var first = min(colon + 1, end)
            while first < end, bytes[first].isBlank { first += 1 }
            var last = end
            while last > first, bytes[last - 1].isBlank { last -= 1 }
            // SAFETY: the span is used within the call, for bytes of the buffer alone.
            let name = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[line..<colon]))
            if name.count > 0, !HeaderName.named(name).concernsConnection {
                append(base + line, colon - line, base + first, last - first)
            }
            line = end + 2
        }
    }

    private mutating func append(_ name: StaticString, _ value: UnsafeRawPointer, _ count: Int) {
        append(UnsafeRawPointer(name.utf8Start), name.utf8CodeUnitCount, value, count)
    }

    private mutating func append(
        _ name: UnsafeRawPointer, _ nameCount: Int, _ value: UnsafeRawPointer, _ valueCount: Int
    ) {
        // SAFETY: nghttp2 takes pointers to bytes that it may not write to, and copies them before submitting returns.
        fields.append(
            nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.assumingMemoryBound(to: UInt8.self)),
                value: UnsafeMutablePointer(mutating: value.assumingMemoryBound(to: UInt8.self)),
                namelen: nameCount, valuelen: valueCount, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
    }
}

extension HeaderName {
    /// Whether the field is about a connection of HTTP/1 (RFC 9113 §8.2.2).
    fileprivate var concernsConnection: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .te: true
        default: false
        }
    }
}

extension UInt8 {
    /// Whether it is a space or a tab.
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension ByteBuffer {
    /// Puts the names of field lines into lower case.
    fileprivate mutating func lowercaseNames(from start: Int) {
        var index = start
        while index < count {
            while index < count, self[index] != UInt8(ascii: ":") {
                let byte = self[index]
                if byte != byte.asciiLowercased { self[index] = byte.asciiLowercased }
                index += 1
            }
            while index < count, self[index] != UInt8(ascii: "\n") { index += 1 }
            index += 1
        }
    }
}
