import ByteBuffers

/// Builds the heads of answers from the fields of HTTP/2 header blocks (RFC 9113 §8.1, §8.3.2), as strictly as those of
/// HTTP/1.1 are read.
///
/// Each field is written into the head as the line that it would be in HTTP/1.1, so that the same code reads the length
/// and passes the lines on. One parser serves one connection, whose header blocks never mix. Nothing is stored once an
/// answer has been found faulty.
package struct HTTP2ResponseParser: ~Copyable {
    /// What a header block turned out to be.
    package enum Outcome: Equatable, Sendable {
        /// An interim head (1xx): another one follows.
        case interim
        case final
        /// Not an answer that may be passed on; the text says why.
        case malformed(StaticString)

        package static func == (left: Outcome, right: Outcome) -> Bool {
            switch (left, right) {
            case (.interim, .interim), (.final, .final): true
            case (.malformed(let one), .malformed(let other)): one.hasSameText(as: other)
            default: false
            }
        }
    }

    private let limits: HeadLimits
    private var hasStatus = false
    private var fault: StaticString?

    package init(limits: HeadLimits = .upstream) { self.limits = limits }

    /// Begins another head; memory is kept.
    package mutating func begin(_ head: inout ResponseHead) {
        head.reset()
        head.version = .http2
        hasStatus = false
        fault = nil
    }

    /// Takes the next field of the block.
    package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>, to head: inout ResponseHead) {
        guard fault == nil else { return }
        if name.count > 0, name[0] == UInt8(ascii: ":") {
            fault = addPseudo(name, value, to: &head)
        } else {
            fault = addRegular(name, value, to: &head)
        }
    }

    private mutating func addPseudo(
        _ name: Span<UInt8>, _ value: Span<UInt8>, to head: inout ResponseHead
    ) -> StaticString? {
        guard name.equals(":status") else { return "a pseudo-field is unknown" }
        guard !hasStatus else { return "a pseudo-field stands twice" }
        guard head.fields.count == 0 else { return "a pseudo-field stands behind a field" }
        guard value.count == 3, let status = MessageFraming.decimal(value) else {
            return "the status code is not three digits"
        }
        guard status >= 100, status <= 599 else { return "the status code is not within 100...599" }
        hasStatus = true
        head.status = UInt16(status)
        return nil
    }

    private func addRegular(_ name: Span<UInt8>, _ value: Span<UInt8>, to head: inout ResponseHead) -> StaticString? {
        guard hasStatus else { return "there is no :status" }
        guard name.isLowerCaseToken else { return "a field name is not a token in lower case" }
        guard value.isFieldValue else { return "a field value has a byte that may not stand in it or there" }
        guard head.bytes.count + name.count + value.count + 4 <= limits.head else { return "the head is too large" }
        guard head.fields.count < limits.fields else { return "the head has too many fields" }
        let id = HeaderName.named(name)
        switch id {
        case .connection, .proxyConnection, .keepAlive, .transferEncoding, .upgrade, .te:
            return "a field is about a connection of HTTP/1"
        default: break
        }
        head.fields.appendLine(name, value, id, in: &head.bytes)
        return nil
    }

    /// Reads the head as a whole.
    ///
    /// - Parameters:
    ///   - requestMethod: The method of the request that is answered: it decides whether a body follows.
    ///   - endsStream: Whether nothing follows the block.
    package mutating func finish(_ head: inout ResponseHead, requestMethod: Method, endsStream: Bool) -> Outcome {
        if let fault { return .malformed(fault) }
        guard hasStatus else { return .malformed("there is no :status") }
        if head.status == 101 { return .malformed("HTTP/2 switches to no other protocol") }
        let declared = MessageFraming(of: head.fields, in: head.bytes, version: .http2)
        if case .fault(let detail) = declared { return .malformed(detail) }
        if case .length(let length) = declared { head.contentLength = length }
        head.keepsAlive = true
        switch head.status {
        case 100...199:
            head.contentLength = nil
            return endsStream ? .malformed("the stream ends with an interim answer") : .interim
        case 204:
            head.contentLength = nil
            return .final
        case 304: return .final
        default:
            if requestMethod == .head { return .final }
        }
        if endsStream {
            if let length = head.contentLength, length > 0 {
                return .malformed("the body is shorter than Content-Length")
            }
            head.framing = .length(0)
        } else {
            head.framing = head.contentLength.map { .length($0) } ?? .untilClose
        }
        return .final
    }
}
