import ByteBuffers

/// What `Content-Length` and `Transfer-Encoding` say, read in the one way that leaves no two readings (RFC 9112 §6).
enum MessageFraming {
    /// Neither field is there.
    case none
    case length(UInt64)
    case chunked
    /// What is wrong. The same rules hold for requests and answers: whatever two recipients could read differently is
    /// refused, also where RFC 9112 §6.3 would allow a repair (equal lengths twice; TE beside CL).
    case fault(StaticString)

    init(of fields: borrowing HeaderBlock, in bytes: borrowing ByteBuffer, version: HTTPVersion) {
        let length = fields.first(.contentLength)
        if let coding = fields.first(.transferEncoding) {
            if length != nil {
                self = .fault("Content-Length and Transfer-Encoding stand together")
            } else if version == .http10 {
                self = .fault("Transfer-Encoding stands in an HTTP/1.0 message")
            } else if fields.firstIndex(of: .transferEncoding, after: coding) != nil
                || !bytes.span(fields[coding].value).equalsIgnoringCase("chunked")
            {
                self = .fault("Transfer-Encoding is not the one word chunked")
            } else {
                self = .chunked
            }
        } else if let length {
            if fields.firstIndex(of: .contentLength, after: length) != nil {
                self = .fault("Content-Length stands twice")
            } else if let count = MessageFraming.decimal(bytes.span(fields[length].value)) {
                self = .length(count)
            } else {
                self = .fault("Content-Length is not a number of 1 to 18 digits")
            }
        } else {
            self = .none
        }
    }

    /// The number of 1 to 18 decimal digits, which always fits 63 bits; nil for anything else.
    static func decimal(_ bytes: Span<UInt8>) -> UInt64? {
        guard bytes.count >= 1, bytes.count <= 18 else { return nil }
        var number: UInt64 = 0
        for index in 0..<bytes.count {
            let digit = bytes[unchecked: index] &- UInt8(ascii: "0")
            if digit > 9 { return nil }
            number = number &* 10 &+ UInt64(digit)
        }
        return number
    }
}
