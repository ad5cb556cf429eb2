import ByteBuffers

/// Reads request heads of HTTP/1.1 and 1.0 (RFC 9112 §2–§6, §9), strictly and incrementally.
///
/// Each byte is copied and looked at once, each line is read once when it is complete, so that the cost is linear
/// however the input is split; and the result does not depend on how it is split. After a complete head the parser is
/// ready for the next one; after a failure it is not, and the connection must be closed.
package struct HTTP1RequestParser: Sendable {
    private let limits: HeadLimits
    private var scanner = HeadScanner()
    private var phase = Phase.start
    /// What is left to do for the path at the end of the head.
    private var pathRest = RequestTarget.Rest.nothing

    private enum Phase {
        /// Before the request line; nothing but an empty line may have come.
        case start
        /// One empty line has come before the request line (RFC 9112 §2.2); a second one is refused.
        case afterEmptyLine
        case fields
        case failed
    }

    package init(limits: HeadLimits) {
        self.limits = limits
        begun = false
    }

    /// Whether a byte of the request line has come: the time limit for a head runs from then on. An empty line before
    /// it does not count.
    package var hasBegun: Bool { begun }
    private var begun: Bool

    /// Forgets the head under way.
    package mutating func reset() {
        scanner = HeadScanner()
        phase = .start
        begun = false
    }

    /// Takes bytes of `input` up to the end of the head and copies them into `head`, which is emptied at the first call
    /// for a head.
    package mutating func consume(_ input: Span<UInt8>, into head: inout RequestHead) -> HeadProgress<RequestError> {
        if case .failed = phase { return .failed(.badRequest("an earlier request on the connection was refused")) }
        if case .start = phase, scanner.lineStart == 0, !begun { head.reset() }
        var position = 0
        while phase != .fields {
            switch scanner.nextLine(input, position: &position, into: &head.bytes, limit: requestLineLimit) {
            case .line:
                if let error = takeLine(into: &head) { return fail(error) }
            case .incomplete:
                if !begun { begun = hasBegunLine(head.bytes) }
                return .incomplete
            case .limitReached:
                return fail(requestLineTooLong(head.bytes))
            case .fault(let fault):
                return fail(.badRequest(fault.detail))
            }
        }
        switch scanner.nextFields(input, position: &position, into: &head.bytes, &head.fields, limits: limits) {
        case .ended:
            if let error = head.settle(pathRest) { return fail(error) }
            reset()
            return .complete(consumed: position)
        case .incomplete:
            return .incomplete
        case .limitReached:
            return fail(RequestError(.headersTooLarge, "the head is too large"))
        case .tooManyFields:
            return fail(RequestError(.headersTooLarge, "the head has too many fields"))
        case .fault(let fault):
            return fail(.badRequest(fault.detail))
        }
    }

    private mutating func fail(_ error: RequestError) -> HeadProgress<RequestError> {
        phase = .failed
        return .failed(error)
    }

    /// How many bytes there may be up to the end of the request line. It has a bound of its own, so that a target that
    /// is too long is told from a head that is too large while it still arrives.
    private var requestLineLimit: Int {
        let line = Method.longest + 1 + limits.target + " HTTP/1.1\r\n".utf8.count
        return Swift.min(limits.head, scanner.lineStart + line)
    }

    /// What is too long in a request line that does not end.
    private func requestLineTooLong(_ bytes: borrowing ByteBuffer) -> RequestError {
        let line = bytes.span.extracting(Swift.min(scanner.lineStart, bytes.count)..<bytes.count)
        var length = 0
        while length <= Method.longest, length < line.count, ByteClass.isToken(line[length]) { length += 1 }
        guard length <= Method.longest, length < line.count, line[length] == UInt8(ascii: " ") else {
            return HTTP1RequestParser.badMethod
        }
        return HTTP1RequestParser.targetTooLong
    }

    /// Whether the line under way holds more than the beginning of an empty line.
    private func hasBegunLine(_ bytes: borrowing ByteBuffer) -> Bool {
        bytes.count > scanner.lineStart && bytes[scanner.lineStart] != UInt8(ascii: "\r")
    }

    private mutating func takeLine(into head: inout RequestHead) -> RequestError? {
        if scanner.line.isEmpty, phase == .start {
            phase = .afterEmptyLine
            return nil
        }
        begun = true
        phase = .fields
        return readRequestLine(scanner.line, into: &head)
    }

    private mutating func readRequestLine(_ range: ByteRange, into head: inout RequestHead) -> RequestError? {
        var line = RequestLine()
        if let error = line.read(range, in: head.bytes, limits: limits) { return error }
        var target = RequestTarget()
        if let error = target.read(line.target, in: head.bytes, method: line.method) { return error }
        head.take(line)
        head.take(target)
        pathRest = target.rest
        return nil
    }

    static var badMethod: RequestError { .badRequest("the method is not a token of at most 32 bytes") }
    static var targetTooLong: RequestError { RequestError(.uriTooLong, "the request target is too long") }
    static var unsupportedVersion: RequestError {
        RequestError(.unsupportedVersion, "HTTP/1.1 and HTTP/1.0 are spoken here")
    }
}
