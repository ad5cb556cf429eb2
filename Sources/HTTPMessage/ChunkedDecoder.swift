import ByteBuffers

/// Reads a body in the chunked transfer coding (RFC 9112 §7.1) without copying it.
///
/// Strict: 1 to 15 hexadecimal digits, CRLF alone as line end, no white space, extensions that follow the grammar and
/// are dropped, data closed by CRLF. Trailers that may be passed on are kept in ``trailers``. The result does not
/// depend on how the input is split, but for where data ranges break.
package struct ChunkedDecoder: ~Copyable {
    /// Bytes of extensions that one chunk may have.
    package static let mostExtensionBytes = 256
    /// Bytes of extensions that one body may have.
    package static let mostExtensionBytesInAll = 16_384

    /// The trailers that may be passed on, whole after `.end`.
    package private(set) var trailers = TrailerSection()
    private var state = State.size
    /// Bytes of the chunk under way that have not come yet; while its size is read, the size so far.
    private var remaining: UInt64 = 0
    private var digits: UInt8 = 0
    private var extensionBytes = 0
    private var extensionBytesInAll = 0
    private var scanner = HeadScanner()

    private enum State {
        case size
        case extensionPart(ChunkExtension)
        case sizeLineFeed
        case data
        case dataReturn
        case dataLineFeed
        case trailers
        case ended
        case failed(StaticString)
    }

    package init() {}

    /// Begins another body; memory is kept.
    package mutating func reset() {
        trailers.removeAll()
        state = .size
        remaining = 0
        digits = 0
        extensionBytes = 0
        extensionBytesInAll = 0
        scanner = HeadScanner()
    }

    /// Gives the memory of the trailers back: for a connection that falls idle.
    package mutating func releaseMemory() { trailers.releaseMemory() }

    /// Reads `input` up to the next piece of content, the end of the body, or its own end.
    package mutating func next(_ input: Span<UInt8>) -> BodyStep {
        var index = 0
        while index < input.count {
            switch state {
            case .data:
                let count = Int(Swift.min(remaining, UInt64(input.count - index), UInt64(UInt32.max)))
                remaining -= UInt64(count)
                if remaining == 0 { state = .dataReturn }
                return .data(ByteRange(start: index, count: count), consumed: index + count)
            case .trailers:
                return readTrailers(input, from: index)
            case .ended:
                return .end(consumed: index)
            case .failed(let detail):
                return .failed(detail)
            default:
                if let detail = take(input[index]) {
                    state = .failed(detail)
                    return .failed(detail)
                }
                index += 1
            }
        }
        if case .ended = state { return .end(consumed: index) }
        if case .failed(let detail) = state { return .failed(detail) }
        return .needMore(consumed: index)
    }

    /// Takes one byte of the framing between data; what is wrong with it, or nil.
    private mutating func take(_ byte: UInt8) -> StaticString? {
        switch state {
        case .size:
            return takeSize(byte)
        case .extensionPart(let part):
            return takeExtension(byte, part)
        case .sizeLineFeed:
            guard byte == UInt8(ascii: "\n") else { return "a chunk size line does not end with CRLF" }
            state = remaining == 0 ? .trailers : .data
        case .dataReturn:
            guard byte == UInt8(ascii: "\r") else { return "chunk data is not followed by CRLF" }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == UInt8(ascii: "\n") else { return "chunk data is not followed by CRLF" }
            state = .size
            digits = 0
            extensionBytes = 0
            remaining = 0
        case .data, .trailers, .ended, .failed:
            break
        }
        return nil
    }

    private mutating func takeSize(_ byte: UInt8) -> StaticString? {
        if let value = byte.hexValue {
            digits += 1
            guard digits <= 15 else { return "a chunk size has more than 15 digits" }
            remaining = remaining << 4 | UInt64(value)
            return nil
        }
        guard digits > 0 else { return "a chunk size is not a hexadecimal number" }
        switch byte {
        case UInt8(ascii: "\r"): state = .sizeLineFeed
        case UInt8(ascii: ";"): return takeExtension(byte, .none)
        default: return "a chunk size is not a hexadecimal number"
        }
        return nil
    }

    private mutating func takeExtension(_ byte: UInt8, _ part: ChunkExtension) -> StaticString? {
        switch part.next(byte) {
        case .part(let next):
            extensionBytes += 1
            extensionBytesInAll += 1
            guard extensionBytes <= ChunkedDecoder.mostExtensionBytes,
                extensionBytesInAll <= ChunkedDecoder.mostExtensionBytesInAll
            else { return "chunk extensions are too long" }
            state = .extensionPart(next)
        case .end:
            state = .sizeLineFeed
        case .fault:
            return "a chunk extension is malformed"
        }
        return nil
    }

    /// Reads the lines between the last chunk and the empty line that ends the body (RFC 9112 §7.1.2).
    private mutating func readTrailers(_ input: Span<UInt8>, from start: Int) -> BodyStep {
        var position = start
        let step = scanner.nextFields(
            input, position: &position, into: &trailers.bytes, &trailers.fields, limits: TrailerSection.limits,
            isTrailer: true)
        switch step {
        case .ended:
            state = .ended
            return .end(consumed: position)
        case .incomplete:
            return .needMore(consumed: position)
        case .limitReached:
            return fail("the trailer section is too large")
        case .tooManyFields:
            return fail("the trailer section has too many fields")
        case .fault(let fault):
            return fail(fault.detail)
        }
    }

    private mutating func fail(_ detail: StaticString) -> BodyStep {
        state = .failed(detail)
        return .failed(detail)
    }
}
