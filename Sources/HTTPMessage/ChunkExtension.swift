/// Where in a chunk extension the reader stands: `*( ";" name [ "=" ( token / quoted-string ) ] )` (RFC 9112 §7.1.1).
///
/// The white space that the grammar calls bad is refused: no known client sends it, and readers differ on it.
enum ChunkExtension {
    /// Before the `;`.
    case none
    /// Behind `;`: a name must begin.
    case nameStart
    case name
    /// Behind `=`: a value must begin.
    case valueStart
    case token
    case quoted
    /// Behind a backslash within quotes.
    case quotedPair
    case quoteEnd

    enum Step {
        case part(ChunkExtension)
        /// The CR of the line end.
        case end
        case fault
    }

    /// The place behind `byte`.
    func next(_ byte: UInt8) -> Step {
        switch self {
        case .none:
            return byte == UInt8(ascii: ";") ? .part(.nameStart) : .fault
        case .nameStart:
            return ByteClass.isToken(byte) ? .part(.name) : .fault
        case .name:
            if ByteClass.isToken(byte) { return .part(.name) }
            return byte == UInt8(ascii: "=") ? .part(.valueStart) : afterMember(byte)
        case .valueStart:
            if byte == UInt8(ascii: "\"") { return .part(.quoted) }
            return ByteClass.isToken(byte) ? .part(.token) : .fault
        case .token:
            return ByteClass.isToken(byte) ? .part(.token) : afterMember(byte)
        case .quoted:
            if byte == UInt8(ascii: "\"") { return .part(.quoteEnd) }
            if byte == UInt8(ascii: "\\") { return .part(.quotedPair) }
            return ChunkExtension.isText(byte) ? .part(.quoted) : .fault
        case .quotedPair:
            return ChunkExtension.isText(byte) ? .part(.quoted) : .fault
        case .quoteEnd:
            return afterMember(byte)
        }
    }

    private func afterMember(_ byte: UInt8) -> Step {
        switch byte {
        case UInt8(ascii: ";"): .part(.nameStart)
        case UInt8(ascii: "\r"): .end
        default: .fault
        }
    }

    /// HTAB, SP, visible ASCII or `obs-text` (RFC 9110 §5.6.4).
    private static func isText(_ byte: UInt8) -> Bool { byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }
}
