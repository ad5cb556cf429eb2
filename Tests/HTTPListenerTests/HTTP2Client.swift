import EventLoops
import HTTP2Framing
import Testing

@testable import HTTPListener

/// A frame as it goes over the wire (RFC 9113 §4.1).
struct WireFrame: Equatable, CustomStringConvertible {
    var type: UInt8
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    var kind: HTTP2FrameType? { HTTP2FrameType(rawValue: type) }
    var endsStream: Bool { flags & 1 != 0 }

    /// The error code of RST_STREAM or GOAWAY.
    var code: UInt32? {
        switch kind {
        case .reset: word(0)
        case .goAway: word(4)
        default: nil
        }
    }

    /// The four bytes at `offset` as a number.
    func word(_ offset: Int) -> UInt32 {
        guard payload.count >= offset + 4 else { return 0 }
        return payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    var bytes: [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
            + WireFrame.bytes(stream) + payload
    }

    static func bytes(_ word: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(word >> $0 & 255) } }

    var description: String {
        "\(kind.map { "\($0)" } ?? "type \(type)") flags \(flags) stream \(stream) \(payload.count) bytes"
            + (code.map { " code \($0)" } ?? "")
    }
}

/// Error codes (RFC 9113 §7).
enum ErrorCode {
    static let none: UInt32 = 0
    static let protocolError: UInt32 = 1
    static let internalError: UInt32 = 2
    static let flowControl: UInt32 = 3
    static let refusedStream: UInt32 = 7
    static let cancel: UInt32 = 8
    static let calm: UInt32 = 11
}

/// A client that writes frames as a test gives them, and reads them one after the other.
final class HTTP2Client {
    let client: Client
    private let bench: ListenerBench
    /// The frames so far, but for SETTINGS and the connection's first WINDOW_UPDATE.
    private(set) var frames: [WireFrame] = []
    private var parsed = 0

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let get = [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "a")]
    static let post = [(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "a")]

    /// Connects, and sends the preface with these settings.
    init(_ bench: ListenerBench, settings: [(UInt16, UInt32)] = [], greets: Bool = true) throws {
        self.bench = bench
        client = try bench.client()
        if greets { send(Self.preface + Self.settings(settings).bytes) }
    }

    static func settings(_ list: [(UInt16, UInt32)]) -> WireFrame {
        let payload = list.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + WireFrame.bytes($0.1) }
        return WireFrame(type: 4, payload: payload)
    }

    /// Fields as literals without indexing (RFC 7541 §6.2.2).
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in [0] + text(name) + text(value) }
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
        var length: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            length.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    static func headers(_ stream: UInt32, _ fields: [(String, String)], ends: Bool = true) -> WireFrame {
        WireFrame(type: 1, flags: ends ? 5 : 4, stream: stream, payload: block(fields))
    }

    static func data(_ stream: UInt32, _ text: String, ends: Bool = false) -> WireFrame {
        WireFrame(type: 0, flags: ends ? 1 : 0, stream: stream, payload: Array(text.utf8))
    }

    static func reset(_ stream: UInt32) -> WireFrame { WireFrame(type: 3, stream: stream, payload: [0, 0, 0, 8]) }

    static func window(_ stream: UInt32, _ count: UInt32) -> WireFrame {
        WireFrame(type: 8, stream: stream, payload: WireFrame.bytes(count))
    }

    static func ping(_ byte: UInt8 = 0, isAnswer: Bool = false) -> WireFrame {
        WireFrame(type: 6, flags: isAnswer ? 1 : 0, payload: [UInt8](repeating: byte, count: 8))
    }

    @discardableResult func send(_ bytes: [UInt8]) -> Bool { client.send(bytes) }

    @discardableResult func send(_ frames: WireFrame...) -> Bool { client.send(frames.flatMap(\.bytes)) }

    // MARK: - Reading

    private func parse() {
        client.read()
        let bytes = client.received
        while bytes.count - parsed >= 9 {
            let head = bytes[parsed..<parsed + 9].map { $0 }
            let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard bytes.count - parsed >= 9 + count else { return }
            let stream = head[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
            let payload = Array(bytes[parsed + 9..<parsed + 9 + count])
            parsed += 9 + count
            frames.append(WireFrame(type: head[3], flags: head[4], stream: stream, payload: payload))
        }
    }

    /// Reads until a frame fits; nil when none comes, or the connection ends before it.
    func frame(_ fits: (WireFrame) -> Bool) -> WireFrame? {
        _ = bench.drive {
            parse()
            return frames.contains(where: fits) || client.ending != nil
        }
        return frames.first(where: fits)
    }

    func frame(_ kind: HTTP2FrameType, _ stream: UInt32) -> WireFrame? {
        frame { $0.kind == kind && $0.stream == stream }
    }

    /// Reads until the stream has ended, in whatever way.
    @discardableResult func end(of stream: UInt32) -> WireFrame? {
        frame {
            $0.stream == stream && ($0.kind == .reset || (($0.kind == .data || $0.kind == .headers) && $0.endsStream))
        }
    }

    /// The error code with which the stream was reset; nil when it ended otherwise.
    func resetCode(_ stream: UInt32) -> UInt32? { end(of: stream).flatMap { $0.kind == .reset ? $0.code : nil } }

    /// The error code of GOAWAY.
    func goAway() -> UInt32? { frame { $0.kind == .goAway }?.code }

    /// The body of a stream's answer, so far.
    func body(_ stream: UInt32) -> [UInt8] {
        frames.filter { $0.kind == .data && $0.stream == stream }.flatMap(\.payload)
    }

    /// The whole answer as text: status and body; nil when the stream was reset.
    func answer(_ stream: UInt32) -> String? {
        guard let last = end(of: stream), last.kind != .reset, let head = frame(.headers, stream) else { return nil }
        return "\(Self.status(head.payload)) \(String(decoding: body(stream), as: UTF8.self))"
    }

    /// Reads until the server has ended the connection.
    func readToEnd() -> Client.Ending? {
        _ = bench.drive {
            parse()
            return client.ending != nil
        }
        return client.ending
    }

    /// Takes what is there without waiting for more.
    func settle() {
        bench.settle()
        parse()
    }

    /// The status of a head whose first field it is, from the static table or as a literal.
    static func status(_ block: [UInt8]) -> Int {
        guard let first = block.first else { return 0 }
        let known = [0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500]
        if let status = known[Int(first)] { return status }
        guard first == 0x48 || first == 0x08, block.count >= 4 else { return 0 }
        let count = Int(block[1] & 127)
        let text = block[2..<min(2 + count, block.count)]
        if block[1] & 128 == 0 { return Int(String(decoding: text, as: UTF8.self)) ?? 0 }
        // Digits in Huffman's code: 0, 1, 2 have five bits, 3 to 9 have six, from 011001 on (RFC 7541 appendix B).
        var bits = text.flatMap { byte in (0..<8).reversed().map { Int(byte >> $0 & 1) } }[...]
        var number = 0
        for _ in 0..<3 {
            let five = bits.prefix(5).reduce(0) { $0 << 1 | $1 }
            if five <= 2 {
                number = number * 10 + five
                bits = bits.dropFirst(5)
            } else {
                number = number * 10 + bits.prefix(6).reduce(0) { $0 << 1 | $1 } - 0b011001 + 3
                bits = bits.dropFirst(6)
            }
        }
        return number
    }
}
