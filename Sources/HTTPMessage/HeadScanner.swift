import ByteBuffers

/// Cuts the head of a message into lines and reads its fields, for both directions and for trailers.
///
/// Bytes go from the input into the message's own buffer, each once; each is looked at once for line ends and control
/// bytes, and each line is read once, when it is complete. Lines end with CRLF and nothing else (RFC 9112 §2.2): a bare
/// CR, a bare LF, or a control byte other than HTAB is a fault the moment it is seen, not only when the line or the
/// head ends.
struct HeadScanner {
    /// Where the line under way begins in the message's buffer.
    private(set) var lineStart = 0
    /// The last byte taken was a CR, so that the next one must be its LF.
    private var awaitsLineFeed = false
    /// Field lines so far.
    private var fieldLines = 0

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
            case let byte:
                return .fault(HeadFault(control: byte))
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

extension HeadScanner {
    enum FieldsStep {
        /// The empty line behind the fields was taken.
        case ended
        /// All input was taken.
        case incomplete
        /// The next byte would be one more than the limit allows.
        case limitReached
        /// There is one more field than the limit allows.
        case tooManyFields
        case fault(HeadFault)
    }

    /// Takes field lines up to the empty line behind them.
    ///
    /// Lines that lie in the input as a whole are read there and copied together, which is most of them in most
    /// messages.
    ///
    /// - Parameters:
    ///   - input: What has arrived.
    ///   - position: The first byte of it not taken yet; moved on.
    ///   - bytes: The message's buffer, which the bytes are appended to.
    ///   - fields: Where the fields are added.
    ///   - limits: How many bytes the buffer may hold, and how many fields there may be.
    ///   - isTrailer: Whether this is a trailer section: fields that may not stand there count, but are left out.
    mutating func nextFields(
        _ input: Span<UInt8>, position: inout Int, into bytes: inout ByteBuffer, _ fields: inout HeaderBlock,
        limits: HeadLimits, isTrailer: Bool = false
    ) -> FieldsStep {
        if bytes.count > lineStart {
            // A line that an earlier input began is completed in the buffer.
            switch nextLine(input, position: &position, into: &bytes, limit: limits.head) {
            case .line: break
            case .incomplete: return .incomplete
            case .limitReached: return .limitReached
            case .fault(let fault): return .fault(fault)
            }
            if line.isEmpty { return .ended }
            if fieldLines >= limits.fields { return .tooManyFields }
            fieldLines += 1
            if let fault = fields.appendLine(bytes.span(line), at: Int(line.start), isTrailer: isTrailer) {
                return .fault(fault)
            }
        }
        let first = position
        let offset = bytes.count - first
        let end = first + Swift.min(input.count - first, Swift.max(limits.head - bytes.count, 0))
        var start = first
        var index = first
        while true {
            index = input.firstControl(from: index, to: end)
            guard index < end else { break }
            let byte = input[unchecked: index]
            index &+= 1
            if byte == UInt8(ascii: "\t") { continue }
            guard byte == UInt8(ascii: "\r") else { return .fault(HeadFault(control: byte)) }
            guard index < end else {
                awaitsLineFeed = true
                break
            }
            guard input[unchecked: index] == UInt8(ascii: "\n") else { return .fault(.bareCR) }
            index &+= 1
            if index &- start == 2 {
                bytes.append(input.extracting(first..<index))
                position = index
                return .ended
            }
            if fieldLines >= limits.fields { return .tooManyFields }
            fieldLines &+= 1
            let text = input.extracting(unchecked: start..<(index &- 2))
            if let fault = fields.appendLine(text, at: offset &+ start, isTrailer: isTrailer) { return .fault(fault) }
            start = index
        }
        bytes.append(input.extracting(first..<end))
        position = end
        lineStart = offset + start
        return end < input.count ? .limitReached : .incomplete
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

    /// The fault of a control byte that stands where a line could end.
    init(control byte: UInt8) { self = byte == UInt8(ascii: "\n") ? .bareLF : .control }

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
