/// What stands in the header of a frame, and the code of one that has one.
public struct HTTP2Frame: Sendable {
    /// The type as a number: there are types that nobody knows.
    package let rawType: UInt8
    package let flags: UInt8
    /// The stream; 0 is the connection.
    package let stream: Int32
    /// The code of RST_STREAM; 0 in others.
    package let code: UInt32

    init(rawType: UInt8, flags: UInt8, stream: Int32, code: UInt32) {
        self.rawType = rawType
        self.flags = flags
        self.stream = stream
        self.code = code
    }

    /// The type, if it is one that is known.
    package var type: HTTP2FrameType? { HTTP2FrameType(rawValue: rawType) }

    /// Whether it is the last one of its side of the stream; only of DATA and HEADERS.
    package var endsStream: Bool { flags & 1 != 0 }

    /// Whether it acknowledges; only of SETTINGS and PING.
    package var isAcknowledgement: Bool { flags & 1 != 0 }
}

/// The types of frames (RFC 9113 §6, RFC 9218 §7.1).
package enum HTTP2FrameType: UInt8, Sendable {
    case data = 0
    case headers = 1
    case priority = 2
    case reset = 3
    case settings = 4
    case pushPromise = 5
    case ping = 6
    case goAway = 7
    case windowUpdate = 8
    case continuation = 9
    case priorityUpdate = 16
}

/// Why a stream or a connection ends (RFC 9113 §7).
package enum HTTP2ErrorCode: UInt32, Sendable {
    case noError = 0
    case protocolError = 1
    case internalError = 2
    case flowControlError = 3
    case settingsTimeout = 4
    case streamClosed = 5
    case frameSizeError = 6
    case refusedStream = 7
    case cancel = 8
    case compressionError = 9
    case connectError = 10
    case enhanceYourCalm = 11
    case inadequateSecurity = 12
    case http11Required = 13
}

/// A parameter of SETTINGS (RFC 9113 §6.5.2, RFC 9218 §2.1).
package struct HTTP2Setting: Sendable {
    package enum Kind: Int32, Sendable {
        case enablePush = 2
        case maxConcurrentStreams = 3
        case initialWindowSize = 4
        case maxHeaderListSize = 6
        case noRFC7540Priorities = 9
    }

    let kind: Kind
    let value: UInt32

    package init(_ kind: Kind, _ value: UInt32) {
        self.kind = kind
        self.value = value
    }
}

/// What of a body may be sent next.
public enum HTTP2Body: Sendable {
    /// Nothing, until ``HTTP2Session/resumeBody(of:)``.
    case later
    /// So many bytes, more follow.
    case piece(Int)
    /// So many bytes, and with them the stream ends.
    case last(Int)
    /// So many bytes, the last ones; trailers follow, which have been submitted.
    case beforeTrailers(Int)
}

/// What became of a DATA frame that was to be sent.
public enum HTTP2Taking: Sendable {
    case taken
    /// There is no room: it is offered again.
    case later
    case streamIsGone
}
