/// What a head parser made of the bytes that it was given.
package enum HeadProgress<Failure: Sendable>: Sendable {
    /// All of the input was taken and the head goes on.
    case incomplete
    /// The head ends after `consumed` bytes of the input; what follows is the body or the next message.
    case complete(consumed: Int)
    /// The message is refused. Nothing that follows on the connection may be read as a message.
    case failed(Failure)
}

extension HeadProgress: Equatable where Failure: Equatable {}

/// What a message head may cost.
package struct HeadLimits: Equatable, Sendable {
    /// Bytes of the whole head, from the first byte to the empty line, both included.
    package var head: Int
    /// Number of fields.
    package var fields: Int
    /// Bytes of the request target.
    package var target: Int

    package init(head: Int = 32_768, fields: Int = 100, target: Int = 8192) {
        self.head = head
        self.fields = fields
        self.target = target
    }

    /// What an upstream's answer may cost: 64 KiB and 100 fields.
    package static let upstream = HeadLimits(head: 65_536)
}

/// Why a request is refused: a bounded cause for metrics and the status, and one fixed sentence for the answer.
package struct RequestError: Error, Equatable, Sendable {
    /// The causes that reading a request can have; ``name`` is the word of http metrics, logs and problem documents.
    package enum Cause: UInt8, Sendable, CaseIterable {
        case badRequest
        case uriTooLong
        case headersTooLarge
        case unsupportedVersion
        case unsupportedExpectation

        /// The status of the answer.
        package var status: UInt16 {
            switch self {
            case .badRequest: 400
            case .uriTooLong: 414
            case .headersTooLarge: 431
            case .unsupportedVersion: 505
            case .unsupportedExpectation: 417
            }
        }

        /// The word for metrics, logs and problem documents.
        package var name: StaticString {
            switch self {
            case .badRequest: "bad_request"
            case .uriTooLong: "uri_too_long"
            case .headersTooLarge: "headers_too_large"
            case .unsupportedVersion: "unsupported_version"
            case .unsupportedExpectation: "unsupported_expectation"
            }
        }
    }

    package let cause: Cause
    /// What is wrong, without any byte of the input.
    package let detail: StaticString

    package init(_ cause: Cause, _ detail: StaticString) {
        self.cause = cause
        self.detail = detail
    }

    package static func badRequest(_ detail: StaticString) -> RequestError { RequestError(.badRequest, detail) }

    package static func == (left: RequestError, right: RequestError) -> Bool {
        left.cause == right.cause && left.detail.hasSameText(as: right.detail)
    }
}

/// Why an upstream's answer is not an HTTP/1 message that may be passed on (cause `upstream_protocol`).
package struct ResponseError: Error, Equatable, Sendable {
    /// What is wrong, without any byte of the input.
    package let detail: StaticString

    package init(_ detail: StaticString) { self.detail = detail }

    package static func == (left: ResponseError, right: ResponseError) -> Bool {
        left.detail.hasSameText(as: right.detail)
    }
}

extension StaticString {
    /// Whether both have the same text, wherever it is stored.
    func hasSameText(as other: StaticString) -> Bool {
        withUTF8Buffer { mine in other.withUTF8Buffer { mine.elementsEqual($0) } }
    }
}
