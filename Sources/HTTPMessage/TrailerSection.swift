package import ByteBuffers

/// The trailers of a chunked body that may be passed on (RFC 9112 §7.1.2). Ranges point into ``bytes``.
package struct TrailerSection: ~Copyable {
    /// The trailer section as received.
    package var bytes = ByteBuffer()
    /// The fields that may be passed on, in order.
    package var fields = HeaderBlock()

    package init() {}

    /// Bytes that a trailer section may have, the empty line included; more is an error.
    package static let mostBytes = 4096
    /// Fields that a trailer section may have, dropped ones included.
    package static let mostFields = 32

    /// Both bounds as the scanner takes them; a trailer section has no target.
    static var limits: HeadLimits { HeadLimits(head: mostBytes, fields: mostFields) }

    /// Whether a field may stand in a trailer at all. A name that means something to the gateway does not: framing,
    /// routing, authentication, conditions, content format (RFC 9110 §6.5.1) and all that the gateway itself says.
    /// `ETag` is the one that its definition allows (RFC 9110 §8.8.3).
    static func mayHold(_ id: HeaderName) -> Bool { id == .other || id == .etag }

    /// Empties the section; memory is kept.
    package mutating func removeAll() {
        bytes.removeAll()
        fields.removeAll()
    }

    /// Empties the section and gives its memory back.
    package mutating func releaseMemory() {
        bytes.removeAll(keeping: 0)
        fields.releaseMemory()
    }
}
