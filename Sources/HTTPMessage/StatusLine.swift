import ByteBuffers

/// A status line, `HTTP-version SP status-code SP [reason]` (RFC 9112 §4). The reason is dropped.
struct StatusLine {
    private(set) var version = HTTPVersion.http11
    private(set) var status: UInt16 = 0

    /// Reads the line. The last space may be missing, as it is in the answers of many servers: nothing can hide in
    /// that. A status outside 100...599 is refused (RFC 9110 §15 wants it treated as a 5xx).
    mutating func read(_ line: Span<UInt8>) -> ResponseError? {
        guard line.count >= 12, line[8] == UInt8(ascii: " "),
            line.count == 12 || line[12] == UInt8(ascii: " ")
        else { return ResponseError("the status line is malformed") }
        switch ProtocolVersion(line.extracting(0..<8)) {
        case .supported(let version): self.version = version
        case .unsupported: return ResponseError("the version is neither 1.1 nor 1.0")
        case .malformed: return ResponseError("the status line is malformed")
        }
        for index in 9..<12 {
            let digit = line[index] &- UInt8(ascii: "0")
            if digit > 9 { return ResponseError("the status code is not three digits") }
            status = status * 10 + UInt16(digit)
        }
        guard status >= 100, status <= 599 else { return ResponseError("the status code is not within 100...599") }
        return nil
    }
}
