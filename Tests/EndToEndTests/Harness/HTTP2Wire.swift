import Foundation

/// A client of HTTP/2 in clear that writes the frames that a test gives it.
final class HTTP2Wire {
    let wire: Wire

    /// Connects to `gateway` and greets it.
    init(_ gateway: GatewayProcess) throws {
        wire = Wire(adopting: try gateway.place.connect())
        try wire.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(4, 0, 0))
    }

    /// A frame (RFC 9113 §4.1).
    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        let count = payload.count
        let stream = [24, 16, 8, 0].map { UInt8(stream >> $0 & 255) }
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags] + stream + payload
    }

    /// A request's head, its fields as literals that enter no table (RFC 7541 §6.2.2), none above 126 bytes.
    static func head(
        _ stream: UInt32, _ method: String, _ path: String, _ fields: [(String, String)] = [], ends: Bool = true
    ) -> [UInt8] {
        let all = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "api.test")] + fields
        var block: [UInt8] = []
        for (name, value) in all {
            block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
            block += [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        return frame(1, ends ? 5 : 4, stream, block)
    }

    static func data(_ stream: UInt32, _ text: String, ends: Bool = false) -> [UInt8] {
        frame(0, ends ? 1 : 0, stream, Array(text.utf8))
    }

    static func reset(_ stream: UInt32) -> [UInt8] { frame(3, 0, stream, [0, 0, 0, 8]) }

    func send(_ frames: [UInt8]...) throws { for frame in frames { try wire.send(frame) } }

    /// Reads the next frame: its type, its stream and its payload; nil at the end.
    func next() throws -> (type: UInt8, stream: UInt32, payload: [UInt8])? {
        if wire.pending.isEmpty, try !wire.readMore() { return nil }
        let head = try wire.take(9)
        let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        let stream = head[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return (head[3], stream, try wire.take(count))
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
