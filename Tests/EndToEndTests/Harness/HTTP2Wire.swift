import Foundation

/// A client of HTTP/2 in clear that writes the frames that a test gives it.
final class HTTP2Wire {
    let wire: Wire

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// Connects to `gateway` and greets it.
    convenience init(_ gateway: GatewayProcess) throws {
        try self.init(on: Wire(adopting: try gateway.place.connect()))
    }

    /// Greets whoever is at the other end of `wire`.
    ///
    /// - Parameter settings: identifiers and values (RFC 9113 §6.5.2).
    init(on wire: Wire, settings: [(UInt16, UInt32)] = []) throws {
        self.wire = wire
        try wire.send(Self.preface + Self.settings(settings))
    }

    /// A frame (RFC 9113 §4.1).
    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags] + word(stream)
            + payload
    }

    /// A request's head, its fields as literals that enter no table (RFC 7541 §6.2.2).
    static func head(
        _ stream: UInt32, _ method: String, _ path: String, _ fields: [(String, String)] = [], ends: Bool = true
    ) -> [UInt8] {
        head(stream, pseudo(method, path) + fields, ends: ends)
    }

    /// The pseudo-fields of a request (RFC 9113 §8.3.1).
    static func pseudo(_ method: String, _ path: String) -> [(String, String)] {
        [(":method", method), (":scheme", "http"), (":path", path), (":authority", "api.test")]
    }

    /// A header block of exactly these fields, in as many frames as it needs.
    static func head(_ stream: UInt32, _ fields: [(String, String)], ends: Bool = true) -> [UInt8] {
        var rest = block(fields)[...]
        var frames: [UInt8] = []
        repeat {
            let piece = rest.prefix(largestFrame)
            rest = rest.dropFirst(largestFrame)
            let type: UInt8 = frames.isEmpty ? 1 : 9
            frames += frame(type, (frames.isEmpty && ends ? 1 : 0) | (rest.isEmpty ? 4 : 0), stream, Array(piece))
        } while !rest.isEmpty
        return frames
    }

    /// What a frame may have at most (RFC 9113 §4.2).
    private static let largestFrame = 16_384

    /// Fields as literals that enter no table.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + literal($0.0) + literal($0.1) }
    }

    /// A string as it is, without Huffman's code (RFC 7541 §5.2).
    private static func literal(_ text: String) -> [UInt8] {
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

    static func settings(_ list: [(UInt16, UInt32)]) -> [UInt8] {
        frame(4, 0, 0, list.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
    }

    /// Opens a window by so many bytes; stream 0 is the connection's.
    static func window(_ stream: UInt32, _ count: UInt32) -> [UInt8] { frame(8, 0, stream, word(count)) }

    static func word(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

    /// A body, in as many frames as it needs.
    static func data(_ stream: UInt32, _ text: String, ends: Bool = false) -> [UInt8] {
        var rest = Array(text.utf8)[...]
        var frames: [UInt8] = []
        repeat {
            let piece = rest.prefix(largestFrame)
            rest = rest.dropFirst(largestFrame)
            frames += frame(0, rest.isEmpty && ends ? 1 : 0, stream, Array(piece))
        } while !rest.isEmpty
        return frames
    }

    static func reset(_ stream: UInt32) -> [UInt8] { frame(3, 0, stream, [0, 0, 0, 8]) }

    func send(_ frames: [UInt8]...) throws { for frame in frames { try wire.send(frame) } }

    /// Reads the next frame; nil at the end.
    func next() throws -> (type: UInt8, flags: UInt8, stream: UInt32, payload: [UInt8])? {
        if wire.pending.isEmpty, try !wire.readMore() { return nil }
        let head = try wire.take(9)
        let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        let stream = head[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return (head[3], head[4], stream, try wire.take(count))
    }

    /// Reads up to the frame of this type on this stream, and gives its error code or what else its last four bytes are.
    func code(of type: UInt8, on stream: UInt32) throws -> UInt32? {
        while let frame = try next() {
            if frame.type == type, frame.stream == stream {
                return frame.payload.dropFirst(type == 7 ? 4 : 0).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            }
        }
        return nil
    }
}
