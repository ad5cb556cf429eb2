import Testing

@testable import Upstreams

/// The server's end of an HTTP/2 connection, frame by frame (RFC 9113 §4, §6): it says what a test wants, right or wrong.
final class HTTP2Peer {
    struct Frame: Equatable, CustomStringConvertible {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let goAway: UInt8 = 7
        static let windowUpdate: UInt8 = 8

        var endsStream: Bool { flags & 1 != 0 }
        var description: String { "type \(type), flags \(flags), stream \(stream), \(payload.count) bytes" }
    }

    let end: ServerEnd
    private let bench: UpstreamBench
    private var taken = 0
    private var gathered: [UInt8]?
    private(set) var frames: [Frame] = []

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// Accepts a connection, reads its preface, and sends `settings` (identifier and value).
    init(_ bench: UpstreamBench, settings: [(UInt16, UInt32)] = []) throws {
        self.bench = bench
        end = try bench.accept()
        let end = end
        try #require(end.receives(bytes: Self.preface.count))
        try #require(Array(end.received.prefix(Self.preface.count)) == Self.preface)
        taken = Self.preface.count
        self.settings(settings)
    }

    // MARK: - Reading

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

    private static func bytes(_ number: UInt32, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * UInt32($0))) }
    }

    /// Takes the frames that have come; settings are acknowledged.
    func read() {
        end.read()
        while end.received.count >= taken + 9 {
            let head = end.received[taken..<taken + 9]
            let start = head.startIndex
            let length = Int(Self.number(head[start..<start + 3]))
            guard end.received.count >= taken + 9 + length else { return }
            let frame = Frame(
                type: head[start + 3], flags: head[start + 4], stream: Self.number(head[(start + 5)...]) & 0x7FFF_FFFF,
                payload: Array(end.received[(taken + 9)..<(taken + 9 + length)]))
            taken += 9 + length
            if frame.type == Frame.settings {
                if frame.flags == 0 { send(Frame(type: Frame.settings, flags: 1, stream: 0, payload: [])) }
            } else {
                frames.append(frame)
            }
        }
    }

    /// Whether a frame comes for which `condition` holds.
    @discardableResult func receives(where condition: @escaping (Frame) -> Bool) -> Bool {
        bench.drive {
            read()
            return frames.contains(where: condition)
        }
    }

    /// Streams that requests have opened, in order.
    var streams: [UInt32] { frames.filter { $0.type == Frame.headers }.map(\.stream) }

    /// Waits for so many requests, and returns the streams of all so far.
    func requests(_ count: Int) throws -> [UInt32] {
        let came = bench.drive {
            read()
            return streams.count >= count
        }
        try #require(came, "\(count) requests come; there are \(streams.count)")
        return streams
    }

    /// The content that has come on a stream.
    func content(_ stream: UInt32) -> [UInt8] {
        frames.filter { $0.type == Frame.data && $0.stream == stream }.flatMap(\.payload)
    }

    // MARK: - Writing

    func send(_ frame: Frame) {
        let head = Self.bytes(UInt32(frame.payload.count), 3) + [frame.type, frame.flags] + Self.bytes(frame.stream, 4)
        write(head + frame.payload)
    }

    /// Sends bytes, which may be no frames.
    func write(_ bytes: [UInt8]) { if gathered == nil { end.send(bytes) } else { gathered? += bytes } }

    /// What is sent in `body`, as bytes that have not been sent yet.
    func gather(_ body: () -> Void) -> [UInt8] {
        gathered = []
        body()
        defer { gathered = nil }
        return gathered ?? []
    }

    /// Sends all of what is sent in `body` at once.
    func together(_ body: () -> Void) { write(gather(body)) }

    func settings(_ settings: [(UInt16, UInt32)]) {
        let payload = settings.flatMap { Self.bytes(UInt32($0.0), 2) + Self.bytes($0.1, 4) }
        send(Frame(type: Frame.settings, flags: 0, stream: 0, payload: payload))
    }

    /// Sends fields as literals that nothing remembers (RFC 7541 §6.2.2).
    func headers(_ stream: UInt32, _ fields: [(String, String)], ends: Bool = false) {
        var block: [UInt8] = []
        for (name, value) in fields {
            block += [0, UInt8(name.utf8.count)]
            block += name.utf8
            block.append(UInt8(value.utf8.count))
            block += value.utf8
        }
        send(Frame(type: Frame.headers, flags: ends ? 5 : 4, stream: stream, payload: block))
    }

    func data(_ stream: UInt32, _ bytes: [UInt8], ends: Bool = false) {
        send(Frame(type: Frame.data, flags: ends ? 1 : 0, stream: stream, payload: bytes))
    }

    func data(_ stream: UInt32, _ text: String, ends: Bool = false) { data(stream, Array(text.utf8), ends: ends) }

    /// Answers a request with 200 and this body.
    func answer(_ stream: UInt32, _ body: String) {
        headers(stream, [(":status", "200")])
        data(stream, body, ends: true)
    }

    func reset(_ stream: UInt32, _ code: UInt32) {
        send(Frame(type: Frame.reset, flags: 0, stream: stream, payload: Self.bytes(code, 4)))
    }

    func goAway(last: UInt32, _ code: UInt32 = 0) {
        send(Frame(type: Frame.goAway, flags: 0, stream: 0, payload: Self.bytes(last, 4) + Self.bytes(code, 4)))
    }

    func windowUpdate(_ stream: UInt32, _ count: UInt32) {
        send(Frame(type: Frame.windowUpdate, flags: 0, stream: stream, payload: Self.bytes(count, 4)))
    }
}
