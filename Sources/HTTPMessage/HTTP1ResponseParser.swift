import ByteBuffers

/// Reads response heads of HTTP/1.1 and 1.0 (RFC 9112 §2, §4–§6, §9), strictly and incrementally: what an upstream says
/// in two ways is an error, never a guess.
///
/// As with requests, the cost is linear and the result the same however the input is split. After a complete head, be
/// it interim (1xx) or final, the parser is ready for the next one. The caller counts interim heads.
package struct HTTP1ResponseParser: Sendable {
    private let limits: HeadLimits
    private var scanner = HeadScanner()
    private var phase = Phase.start

    private enum Phase {
        case start
        case fields
        case failed
    }

    package init(limits: HeadLimits = .upstream) {
        self.limits = limits
        begun = false
    }

    /// Whether a byte of the head under way has come.
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
    ///
    /// - Parameters:
    ///   - input: What has arrived.
    ///   - head: Where the head is put.
    ///   - requestMethod: The method of the request that is answered: it decides whether a body follows.
    ///   - upgradeAsked: Whether that request had `Upgrade`; else 101 is an error (RFC 9110 §15.2.2).
    package mutating func consume(
        _ input: Span<UInt8>, into head: inout ResponseHead, requestMethod: Method, upgradeAsked: Bool = false
    ) -> HeadProgress<ResponseError> {
        if case .failed = phase { return .failed(ResponseError("an earlier response on the connection was refused")) }
        if !begun { head.reset() }
        if input.count > 0 { begun = true }
        var position = 0
        if phase == .start {
            switch scanner.nextLine(input, position: &position, into: &head.bytes, limit: limits.head) {
            case .line:
                if let error = readStatusLine(into: &head) { return fail(error) }
            case .incomplete:
                return .incomplete
            case .limitReached:
                return fail(HTTP1ResponseParser.headTooLarge)
            case .fault(let fault):
                return fail(ResponseError(fault.detail))
            }
        }
        switch scanner.nextFields(input, position: &position, into: &head.bytes, &head.fields, limits: limits) {
        case .ended:
            if let error = finish(&head, requestMethod, upgradeAsked) { return fail(error) }
            reset()
            return .complete(consumed: position)
        case .incomplete:
            return .incomplete
        case .limitReached:
            return fail(HTTP1ResponseParser.headTooLarge)
        case .tooManyFields:
            return fail(ResponseError("the head has too many fields"))
        case .fault(let fault):
            return fail(ResponseError(fault.detail))
        }
    }

    private static var headTooLarge: ResponseError { ResponseError("the head is too large") }

    private mutating func fail(_ error: ResponseError) -> HeadProgress<ResponseError> {
        phase = .failed
        return .failed(error)
    }

    private mutating func readStatusLine(into head: inout ResponseHead) -> ResponseError? {
        phase = .fields
        var line = StatusLine()
        if let error = line.read(head.bytes.span(scanner.line)) { return error }
        head.version = line.version
        head.status = line.status
        return nil
    }

    /// How the body ends (RFC 9112 §6.3), and whether the connection can be used again.
    private func finish(
        _ head: inout ResponseHead, _ requestMethod: Method, _ upgradeAsked: Bool
    ) -> ResponseError? {
        if head.status == 101, !upgradeAsked { return ResponseError("an upgrade that nobody asked for") }
        guard let options = ConnectionOptions(of: head.fields, in: head.bytes) else {
            return ResponseError("Connection has too many options")
        }
        head.connection = options
        head.keepsAlive = options.keepsAlive(head.version)

        let declared = MessageFraming(of: head.fields, in: head.bytes, version: head.version)
        if case .fault(let detail) = declared { return ResponseError(detail) }
        if case .length(let length) = declared { head.contentLength = length }

        switch head.status {
        case 100...199, 204:
            // Such an answer has no body and must not declare one (RFC 9110 §8.6, RFC 9112 §6.1). If it does, its
            // sender may well send it: the connection is not used again.
            head.framing = .none
            if case .none = declared {} else { head.keepsAlive = head.keepsAlive && head.contentLength == 0 }
            head.contentLength = nil
            if head.status == 101 { head.keepsAlive = false }
        case 304:
            head.framing = .none
        default:
            if requestMethod == .head {
                head.framing = .none
                return nil
            }
            switch declared {
            case .length(let length): head.framing = .length(length)
            case .chunked: head.framing = .chunked
            case .none, .fault:
                head.framing = .untilClose
                head.keepsAlive = false
            }
        }
        return nil
    }
}
