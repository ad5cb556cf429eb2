import ByteBuffers

/// A request line, `method SP request-target SP HTTP-version` (RFC 9112 §3): single spaces, nothing else.
struct RequestLine {
    private(set) var method = Method.other
    private(set) var methodRange = ByteRange()
    private(set) var target = ByteRange()
    private(set) var version = HTTPVersion.http11

    /// Reads the line at `range` of `bytes`, all but the inside of the target.
    mutating func read(_ range: ByteRange, in bytes: borrowing ByteBuffer, limits: HeadLimits) -> RequestError? {
        let line = bytes.span(range)
        let offset = Int(range.start)

        var methodEnd = 0
        while methodEnd < line.count, ByteClass.isToken(line[unchecked: methodEnd]) { methodEnd += 1 }
        guard methodEnd > 0, methodEnd <= Method.longest, methodEnd < line.count,
            line[methodEnd] == UInt8(ascii: " ")
        else { return HTTP1RequestParser.badMethod }
        methodRange = ByteRange(start: offset, count: methodEnd)
        method = Method.named(line.extracting(0..<methodEnd))

        let targetStart = methodEnd + 1
        guard let targetEnd = line.firstIndex(of: UInt8(ascii: " "), from: targetStart) else {
            if line.count - targetStart > limits.target { return HTTP1RequestParser.targetTooLong }
            // `GET /path` without a version is the whole request of HTTP/0.9.
            return method == .get && line.extracting(targetStart..<line.count).isPlainTarget
                ? HTTP1RequestParser.unsupportedVersion : .badRequest("the request line has no version")
        }
        if targetEnd - targetStart > limits.target { return HTTP1RequestParser.targetTooLong }
        target = ByteRange(start: offset + targetStart, count: targetEnd - targetStart)

        switch ProtocolVersion(line.extracting((targetEnd + 1)..<line.count)) {
        case .supported(let version): self.version = version
        case .unsupported: return HTTP1RequestParser.unsupportedVersion
        case .malformed: return .badRequest("the request line does not end with a version")
        }
        return nil
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes are a `/` and other bytes of a target.
    fileprivate var isPlainTarget: Bool {
        for index in 0..<count where !ByteClass.contains(self[unchecked: index], ByteClass.target) { return false }
        return count > 0 && self[0] == UInt8(ascii: "/")
    }
}

/// `HTTP/` digit `.` digit, in upper case (RFC 9112 §2.3).
enum ProtocolVersion {
    case supported(HTTPVersion)
    /// Well-formed, but neither 1.1 nor 1.0. No HTTP/1.2 exists whose rules a message could follow, so that it is
    /// refused, too, rather than read by the rules of 1.1 (RFC 9110 §2.5 would allow that).
    case unsupported
    case malformed

    init(_ text: Span<UInt8>) {
        guard text.count == 8, text.extracting(0..<5).equals("HTTP/"), text[6] == UInt8(ascii: "."),
            text[5] &- UInt8(ascii: "0") < 10, text[7] &- UInt8(ascii: "0") < 10
        else {
            self = .malformed
            return
        }
        switch (text[5], text[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): self = .supported(.http11)
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): self = .supported(.http10)
        default: self = .unsupported
        }
    }
}
