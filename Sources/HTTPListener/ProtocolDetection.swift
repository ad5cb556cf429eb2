/// What a listener may speak.
package struct SpokenProtocols: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// HTTP/1.1, and HTTP/1.0 for clients that speak it.
    package static let http1 = SpokenProtocols(rawValue: 1)
    /// HTTP/2: in clear by prior knowledge, over TLS by ALPN.
    package static let http2 = SpokenProtocols(rawValue: 2)
    package static let all: SpokenProtocols = [.http1, .http2]
}

/// Tells HTTP/2 from HTTP/1 by the first bytes of a connection in clear (RFC 9113 §3.3, §3.4), however they are split.
///
/// Nothing is kept of bytes that could still become HTTP/2's preface: they are known.
struct ProtocolDetection {
    enum Verdict: Equatable { case undecided, http1, http2 }

    private let spoken: SpokenProtocols
    /// Since when the first bytes are awaited.
    let since: UInt64
    /// How many bytes of the preface have come before the input that was looked at last.
    private(set) var earlier = 0
    private var matched = 0

    private static var text: StaticString { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }

    init(_ spoken: SpokenProtocols, at now: UInt64) {
        self.spoken = spoken
        since = now
    }

    /// Looks at what has come next.
    mutating func next(_ input: Span<UInt8>) -> Verdict {
        earlier = matched
        guard spoken == .all else { return spoken.contains(.http2) ? .http2 : .http1 }
        let text = Self.preface(Self.text.utf8CodeUnitCount)
        for index in 0..<input.count {
            guard input[index] == text[matched] else { return .http1 }
            matched += 1
            if matched == text.count { return .http2 }
        }
        return .undecided
    }

    /// The first `count` bytes of the preface.
    @_lifetime(immortal)
    static func preface(_ count: Int) -> Span<UInt8> {
        // SAFETY: the text of a static string lives for ever.
        let bytes = UnsafeBufferPointer(start: text.utf8Start, count: min(count, text.utf8CodeUnitCount))
        return _overrideLifetime(Span(_unsafeElements: bytes), copying: ())
    }

    /// Whether nothing has come for a while.
    func isIdle(since now: UInt64) -> Bool { matched == 0 && now &- since >= ConnectionLimits.drainIdleTime }
}
