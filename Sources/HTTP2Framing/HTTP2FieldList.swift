package import ByteBuffers
internal import CNghttp2
import Glibc

/// Fields as nghttp2 takes them; valid during the call that they are given to.
package struct HTTP2Fields {
    let base: UnsafePointer<nghttp2_nv>?
    let count: Int
}

/// Turns heads that are written as lines of HTTP/1.1 into what nghttp2 encodes.
///
/// The lines stay where they are; only their names are put into lower case, in place. Fields about a connection of
/// HTTP/1 are left out, whoever wrote them (RFC 9113 §8.2.2).
package struct HTTP2FieldList: ~Copyable {
    private var fields = PlainList<nghttp2_nv>()

    /// A list without fields.
    package init() {}

    /// Reads the status and the lines of an answer's head, and lets `submit` have them.
    ///
    /// - Parameters:
    ///   - head: Three digits, then lines, each with its line's end.
    ///   - submit: Takes the fields; it copies what it keeps.
    package mutating func readAnswer(_ head: inout ByteBuffer, _ submit: (HTTP2Fields) -> Void) {
        fields.removeAll(keeping: 128)
        head.withUnsafeMutableBytes { bytes in
            guard bytes.count >= 3, let base = bytes.baseAddress else { return }
            append(":status", base, 3)
            gather(bytes, from: 3)
            lend(submit)
        }
    }

    /// Reads a request's head, as it would be sent in HTTP/1.1, and lets `submit` have its fields: the target and `Host`
    /// as pseudo-fields, without what concerns the framing and the connection.
    ///
    /// - Returns: what `submit` does, or nil when it is no head.
    package mutating func readRequest<Result>(
        _ head: inout ByteBuffer, isSecure: Bool, _ submit: (HTTP2Fields) -> Result
    ) -> Result? {
        fields.removeAll(keeping: 128)
        guard let line = RequestLineParts(head) else { return nil }
        return head.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            append(":method", base, line.method)
            append(isSecure ? "https" : "http", as: ":scheme")
            append(":path", base + line.method + 1, line.target)
            append(":authority", base, 0)
            gather(bytes, from: line.end, authorityAt: 3)
            if fields[3].valuelen == 0 { fields.remove(at: 3) }
            return fields.withUnsafeBufferPointer { submit(HTTP2Fields(base: $0.baseAddress, count: $0.count)) }
        }
    }

    /// Reads trailer lines, and lets `submit` have them.
    ///
    /// - Returns: Whether there was one that may be sent; else `submit` is not called.
    package mutating func readTrailers(_ lines: inout ByteBuffer, _ submit: (HTTP2Fields) -> Void) -> Bool {
        fields.removeAll(keeping: 128)
        return lines.withUnsafeMutableBytes { bytes in
            gather(bytes, from: 0)
            if !fields.isEmpty { lend(submit) }
            return !fields.isEmpty
        }
    }

    private func lend(_ submit: (HTTP2Fields) -> Void) {
        fields.withUnsafeBufferPointer { submit(HTTP2Fields(base: $0.baseAddress, count: $0.count)) }
    }

    /// Gathers lines up to the end or an empty one, and puts their names into lower case. In a request, `Host` becomes the
    /// field at `authority`.
    private mutating func gather(
        _ bytes: UnsafeMutableRawBufferPointer, from start: Int, authorityAt authority: Int? = nil
    ) {
        guard let base = bytes.baseAddress else { return }
        let text = UnsafeRawBufferPointer(bytes)
        var line = start
        while line < bytes.count {
            var colon = line
            while colon < bytes.count {
                let byte = bytes[colon]
                if byte == UInt8(ascii: ":") || byte == UInt8(ascii: "\r") { break }
                if byte != byte.asciiLowercased { bytes[colon] = byte.asciiLowercased }
                colon += 1
            }
            // SAFETY: no byte is looked at behind the last one.
            let found = memchr(base + colon, CInt(UInt8(ascii: "\r")), bytes.count - colon)
            let end = found.map { $0 - base } ?? bytes.count
            var first = min(colon + 1, end)
            while first < end, bytes[first].isBlank { first += 1 }
            var last = end
            while last > first, bytes[last - 1].isBlank { last -= 1 }
            // SAFETY: the spans are used within the call, for bytes of the buffer alone.
            let name = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: text[line..<colon]))
            let value = Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: text[first..<last]))
            switch FieldFate(name, value, isRequest: authority != nil) {
            case .goesOn: append(base + line, colon - line, base + first, last - first)
            case .isAuthority:
                guard let authority else { break }
                fields[authority].value = UnsafeMutablePointer(
                    mutating: (base + first).assumingMemoryBound(to: UInt8.self))
                fields[authority].valuelen = last - first
            case .staysHere: break
            }
            line = end + 2
        }
    }

    private mutating func append(_ name: StaticString, _ value: UnsafeRawPointer, _ count: Int) {
        append(UnsafeRawPointer(name.utf8Start), name.utf8CodeUnitCount, value, count)
    }

    private mutating func append(_ value: StaticString, as name: StaticString) {
        append(name, UnsafeRawPointer(value.utf8Start), value.utf8CodeUnitCount)
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

/// What becomes of a field line in HTTP/2.
private enum FieldFate {
    case goesOn
    /// It is a request's `Host`.
    case isAuthority
    /// It is about a connection of HTTP/1 (RFC 9113 §8.2.2), or for this hop alone.
    case staysHere

    init(_ name: Span<UInt8>, _ value: Span<UInt8>, isRequest: Bool) {
        switch name.count {
        case 0: self = .staysHere
        case 2 where name.equals("te"):
            self = isRequest && value.equalsIgnoringCase("trailers") ? .goesOn : .staysHere
        case 4 where isRequest && name.equals("host"): self = .isAuthority
        case 6 where isRequest && name.equals("expect"): self = .staysHere
        case 7 where name.equals("upgrade"): self = .staysHere
        case 10 where name.equals("connection") || name.equals("keep-alive"): self = .staysHere
        case 16 where name.equals("proxy-connection"): self = .staysHere
        case 17 where name.equals("transfer-encoding"): self = .staysHere
        default: self = .goesOn
        }
    }
}

/// Where the parts of a request line end: `method SP target SP version CRLF`.
private struct RequestLineParts {
    let method: Int
    let target: Int
    /// Where the fields begin.
    let end: Int

    init?(_ head: borrowing ByteBuffer) {
        let bytes = head.span
        guard let method = bytes.firstIndex(of: UInt8(ascii: " ")), method > 0 else { return nil }
        let rest = bytes.extracting((method + 1)...)
        guard let target = rest.firstIndex(of: UInt8(ascii: " ")), target > 0 else { return nil }
        guard let feed = rest.firstIndex(of: UInt8(ascii: "\n")), feed > target else { return nil }
        self.method = method
        self.target = target
        end = method + 1 + feed + 1
    }
}

extension UInt8 {
    /// Whether it is a space or a tab.
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }
}
