import ByteBuffers

/// What is worth knowing about an exchange besides its status and its cause: a closed list of words.
package enum AccessLogMark: UInt8, CaseIterable, Sendable {
    /// A connection turned out dead, or its server refused the request unread, and another one took the request over.
    case retried
    /// A view went without parts that failed.
    case partial
    /// A part of a view failed, and its base had what it was to replace.
    case fallback
    /// The client has the view already: 304 by the gateway itself.
    case notModified
    /// The answer began before the request's body had been read to its end.
    case earlyAnswer
    /// The client left, or took nothing any more, before the answer was whole.
    case clientGone
    /// The answer broke off after its head, so that the client sees that it is not whole.
    case truncated
    /// The connection went over to another protocol.
    case tunnel
    /// It took longer than `accessLog.slow`.
    case slow
    /// It ended while the gateway was draining.
    case draining

    /// The word.
    package var name: StaticString {
        switch self {
        case .retried: "retried"
        case .partial: "partial"
        case .fallback: "fallback"
        case .notModified: "not_modified"
        case .earlyAnswer: "early_answer"
        case .clientGone: "client_gone"
        case .truncated: "truncated"
        case .tunnel: "tunnel"
        case .slow: "slow"
        case .draining: "draining"
        }
    }
}

/// A set of marks.
package struct AccessLogMarks: Equatable, Sendable {
    private var bits: UInt16 = 0

    /// No mark.
    package init() {}

    /// Adds a mark.
    package mutating func insert(_ mark: AccessLogMark) { bits |= 1 << UInt16(mark.rawValue) }

    /// Whether it has a mark.
    package func contains(_ mark: AccessLogMark) -> Bool { bits & 1 << UInt16(mark.rawValue) != 0 }

    /// Whether there is none.
    package var isEmpty: Bool { bits == 0 }
}

extension ByteBuffer {
    /// Appends the words of the marks, each between two of these, with commas.
    mutating func appendMarks(_ marks: AccessLogMarks, quote: StaticString) {
        var isFirst = true
        // By number: the list of all cases would be made anew each time.
        for number in 0...AccessLogMark.draining.rawValue {
            guard let mark = AccessLogMark(rawValue: number), marks.contains(mark) else { continue }
            if !isFirst { append(",") }
            isFirst = false
            append(quote)
            append(mark.name)
            append(quote)
        }
    }
}
