import ByteBuffers

/// Cuts the head of a message into lines, for both directions.
///
/// Bytes go from the input into the message's own buffer, each once; each is looked at once for line ends and control
/// bytes. Lines end with CRLF and nothing else (RFC 9112 §2.2): a bare CR, a bare LF, or a control byte other than HTAB
/// is a fault the moment it is seen, not only when the line or the head ends.
struct HeadScanner {
    /// Where the line under way begins in the message's buffer.
    private(set) var lineStart = 0
    /// The last byte taken was a CR, so that the next one must be its LF.
    private var awaitsLineFeed = false

    /// The last whole line, without its CRLF, as a range of the message's buffer.
    private(set) var line = ByteRange()

    enum Step {
        /// ``line`` is another whole line.
        case line
        /// All input was taken.
        case incomplete
        /// The next byte would be one more than the limit allows.
        case limitReached
        case fault(HeadFault)
    }

    /// Takes input up to the end of the line under way.
    ///
    /// - Parameters:
    ///   - input: What has arrived.
    ///   - position: The first byte of it not taken yet; moved on.
    ///   - bytes: The message's buffer, which the bytes are appended to.
    ///   - limit: How many bytes that buffer may hold.
    @inline(__always)
    mutating func nextLine(
        _ input: Span<UInt8>, position: inout Int, into bytes: inout ByteBuffer, limit: Int
    ) -> Step {
        let start = position
        let room = Swift.max(limit - bytes.count, 0)
        let end = Swift.min(input.count, start + Swift.min(room, input.count))
        var index = start
        if awaitsLineFeed, index < end {
            guard input[index] == UInt8(ascii: "\n") else { return .fault(.bareCR) }
            return take(input, from: start, lineFeed: index, &position, into: &bytes)
        }
        while true {
            index = input.firstControl(from: index, to: end)
            if index == end { break }
            switch input[index] {
            case UInt8(ascii: "\t"):
                index += 1
            case UInt8(ascii: "\r"):
                index += 1
                if index == end {
                    awaitsLineFeed = true
                } else if input[index] == UInt8(ascii: "\n") {
                    return take(input, from: start, lineFeed: index, &position, into: &bytes)
                } else {
                    return .fault(.bareCR)
                }
            case UInt8(ascii: "\n"):
                return .fault(.bareLF)
            default:
                return .fault(.control)
            }
        }
        bytes.append(input.extracting(start..<end))
        position = end
        return end < input.count ? .limitReached : .incomplete
    }

    @inline(__always)
    private mutating func take(
        _ input: Span<UInt8>, from start: Int, lineFeed: Int, _ position: inout Int, into bytes: inout ByteBuffer
    ) -> Step {
        position = lineFeed + 1
        bytes.append(input.extracting(start..<position))
        awaitsLineFeed = false
        line = ByteRange(start: lineStart, count: bytes.count - 2 - lineStart)
        lineStart = bytes.count
        return .line
    }
}

/// What can be wrong with a line of a head or a trailer section, whatever it says.
enum HeadFault: UInt8 {
    case bareCR
    case bareLF
    case control
    case folded
    case noColon
    case emptyName
    case spaceInName
    case badName

    /// A sentence for the answer.
    var detail: StaticString {
        switch self {
        case .bareCR: "a CR stands without LF"
        case .bareLF: "a line ends with LF alone"
        case .control: "a control byte stands in the head"
        case .folded: "a field line is folded"
        case .noColon: "a field line has no colon"
        case .emptyName: "a field name is empty"
        case .spaceInName: "white space stands in a field name or before its colon"
        case .badName: "a field name is not a token"
        }
    }
}
