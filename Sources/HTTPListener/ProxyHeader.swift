import ByteBuffers
import HTTPMessage

/// The header by which a load balancer says whose connection it passes on: versions 1 (text) and 2 (binary) of the PROXY
/// protocol, section 2 of its specification. It stands before everything else, also before TLS.
package enum ProxyHeader {
    /// What the bytes so far come to.
    package enum Progress: Equatable {
        /// More bytes are needed.
        case incomplete
        /// The header ends after so many bytes; `source` is the client, nil where the header names none (a health check
        /// of the balancer, an address of another family).
        case complete(consumed: Int, source: PeerAddress?)
        /// It is no such header: nothing that follows can be understood.
        case malformed
    }

    /// Bytes that a header may have. Version 1 has 107 at most; version 2 may carry extensions, which are skipped.
    package static let most = 4_096

    /// Reads the header at the beginning of `input`, which holds everything that has come so far.
    package static func read(_ input: Span<UInt8>) -> Progress {
        if input.count == 0 { return .incomplete }
        return input[0] == UInt8(ascii: "P") ? readText(input) : readBinary(input)
    }

    // MARK: - Version 1

    /// The longest line with its end (section 2.1).
    private static let longestLine = 107

    private static func readText(_ input: Span<UInt8>) -> Progress {
        let prefix: StaticString = "PROXY "
        let compared = min(input.count, prefix.utf8CodeUnitCount)
        guard input.extracting(..<compared).isPrefix(of: prefix) else { return .malformed }
        var end = 0
        let bound = min(input.count, longestLine)
        while end < bound, input[end] != UInt8(ascii: "\r") { end += 1 }
        guard end < bound else { return input.count < longestLine ? .incomplete : .malformed }
        guard end + 1 < input.count else { return end + 1 < longestLine ? .incomplete : .malformed }
        guard end + 1 < longestLine, input[end + 1] == UInt8(ascii: "\n"), end > prefix.utf8CodeUnitCount else {
            return .malformed
        }
        let line = input.extracting(prefix.utf8CodeUnitCount..<end)
        let consumed = end + 2
        // What follows this word is to be ignored (section 2.1).
        if line.count >= 7, line.extracting(..<7).equals("UNKNOWN") {
            guard line.count == 7 || line[7] == UInt8(ascii: " ") else { return .malformed }
            return .complete(consumed: consumed, source: nil)
        }
        guard let source = readAddresses(line) else { return .malformed }
        return .complete(consumed: consumed, source: source)
    }

    /// Reads `TCP4 source destination source-port destination-port`, with one blank between two words.
    private static func readAddresses(_ line: Span<UInt8>) -> PeerAddress? {
        var position = 0
        let family = nextWord(line, &position)
        let source = nextWord(line, &position)
        let destination = nextWord(line, &position)
        let port = nextWord(line, &position)
        let destinationPort = nextWord(line, &position)
        guard position == line.count + 1 else { return nil }
        let isIPv4 = line.slice(family).equals("TCP4")
        guard isIPv4 || line.slice(family).equals("TCP6"),
            let address = IPAddress(line.slice(source)), let other = IPAddress(line.slice(destination)),
            isIPv4 == !line.slice(source).contains(UInt8(ascii: ":")),
            isIPv4 == !line.slice(destination).contains(UInt8(ascii: ":")), isIPv4 ? other.isIPv4 : true,
            let number = readPort(line.slice(port)), readPort(line.slice(destinationPort)) != nil
        else { return nil }
        return PeerAddress(address: address, port: number, isUnix: false)
    }

    private static func nextWord(_ line: Span<UInt8>, _ position: inout Int) -> ByteRange {
        let start = min(position, line.count)
        var end = start
        while end < line.count, line[end] != UInt8(ascii: " ") { end += 1 }
        position = end + 1
        return ByteRange(start: start, count: end - start)
    }

    /// A decimal number up to 65535 without leading zeros.
    private static func readPort(_ text: Span<UInt8>) -> UInt16? {
        guard text.count > 0, text.count <= 5, text.count == 1 || text[0] != UInt8(ascii: "0") else { return nil }
        var number: UInt32 = 0
        for index in text.indices {
            guard text[index] >= UInt8(ascii: "0"), text[index] <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + UInt32(text[index] - UInt8(ascii: "0"))
        }
        return UInt16(exactly: number)
    }

    // MARK: - Version 2

    private static let headSize = 16

    private static func readBinary(_ input: Span<UInt8>) -> Progress {
        // Twelve bytes that no text protocol begins with (section 2.2).
        let signature: StaticString = "\u{0D}\u{0A}\u{0D}\u{0A}\u{00}\u{0D}\u{0A}QUIT\u{0A}"
        let size = signature.utf8CodeUnitCount
        guard input.extracting(..<min(input.count, size)).isPrefix(of: signature) else { return .malformed }
        guard input.count >= headSize else { return .incomplete }
        let length = Int(input[14]) << 8 | Int(input[15])
        let version = input[12] >> 4
        let command = input[12] & 0x0F
        guard version == 2, command <= 1, headSize + length <= most else { return .malformed }
        guard input.count >= headSize + length else { return .incomplete }
        let consumed = headSize + length
        // The balancer's own connection: its addresses are to be ignored.
        if command == 0 { return .complete(consumed: consumed, source: nil) }
        switch input[13] {
        case 0x11:
            guard length >= 12 else { return .malformed }
            let address = IPAddress(ipv4: UInt32(truncatingIfNeeded: bigEndian(input, 16, 4)))
            return .complete(consumed: consumed, source: peer(address, port: bigEndian(input, 24, 2)))
        case 0x21:
            guard length >= 36 else { return .malformed }
            let address = IPAddress(high: bigEndian(input, 16, 8), low: bigEndian(input, 24, 8))
            return .complete(consumed: consumed, source: peer(address, port: bigEndian(input, 48, 2)))
        case 0x00, 0x31:
            // Unspecified, or a unix socket: there is no address to speak of.
            return .complete(consumed: consumed, source: nil)
        default:
            // A datagram, or a family that is not defined.
            return .malformed
        }
    }

    private static func peer(_ address: IPAddress, port: UInt64) -> PeerAddress {
        PeerAddress(address: address, port: UInt16(truncatingIfNeeded: port), isUnix: false)
    }

    private static func bigEndian(_ input: Span<UInt8>, _ start: Int, _ count: Int) -> UInt64 {
        var number: UInt64 = 0
        for index in start..<(start + count) { number = number << 8 | UInt64(input[index]) }
        return number
    }
}

extension Span<UInt8> {
    /// Whether `text` begins with these bytes.
    fileprivate func isPrefix(of text: StaticString) -> Bool {
        guard count <= text.utf8CodeUnitCount else { return false }
        // SAFETY: the text of a static string lives for ever, and is as long as it says.
        let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for index in indices where self[index] != bytes[index] { return false }
        return true
    }

    fileprivate func contains(_ byte: UInt8) -> Bool {
        for index in indices where self[index] == byte { return true }
        return false
    }
}
