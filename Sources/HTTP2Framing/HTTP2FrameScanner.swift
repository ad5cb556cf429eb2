/// Finds the frames in what a peer sends, before nghttp2 does: by their headers alone, each nine bytes (RFC 9113 §4.1).
///
/// nghttp2 tells of the frames that it acts on; the budget has to see those that it passes over as well, and the time of
/// a header block runs whatever becomes of it. The result does not depend on how the input is split.
package struct HTTP2FrameScanner: Sendable {
    /// Bytes of the preface, of a frame's payload, or none.
    private var toSkip: Int
    /// What has come of a frame's header.
    private var header: UInt64 = 0
    private var headerBytes = 0
    /// Whether the end of a header block has not come yet.
    package private(set) var isInHead = false
    private var endsHead = false

    /// A scanner for what `peer` sends: clients begin with the preface.
    package init(of peer: HTTP2Callbacks.Role) { toSkip = peer == .client ? 24 : 0 }

    /// Looks at what has come next; `frame` is told the type, flags and length of each frame that begins in it, and may
    /// end the scan by what it returns.
    package mutating func next(
        _ input: Span<UInt8>, _ frame: (_ type: UInt8, _ flags: UInt8, _ length: Int) -> HTTP2Flood?
    ) -> HTTP2Flood? {
        var index = 0
        while index < input.count {
            if toSkip > 0 {
                let count = min(toSkip, input.count - index)
                toSkip -= count
                index += count
                if toSkip == 0 { payloadEnded() }
                continue
            }
            // Of the nine bytes the first five count: length, type, flags.
            if headerBytes < 5 { header = header << 8 | UInt64(input[unchecked: index]) }
            headerBytes += 1
            index += 1
            guard headerBytes == 9 else { continue }
            if let flood = begin(frame) { return flood }
        }
        return nil
    }

    private mutating func begin(
        _ frame: (_ type: UInt8, _ flags: UInt8, _ length: Int) -> HTTP2Flood?
    ) -> HTTP2Flood? {
        let length = Int(header >> 16)
        let type = UInt8(truncatingIfNeeded: header >> 8)
        let flags = UInt8(truncatingIfNeeded: header)
        header = 0
        headerBytes = 0
        toSkip = length
        let isHead = type == HTTP2FrameType.headers.rawValue || type == HTTP2FrameType.continuation.rawValue
        if isHead { isInHead = true }
        endsHead = isHead && flags & 4 != 0
        if toSkip == 0 { payloadEnded() }
        return frame(type, flags, length)
    }

    private mutating func payloadEnded() { if endsHead { isInHead = false } }
}
