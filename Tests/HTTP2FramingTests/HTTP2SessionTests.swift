import ByteBuffers
import HTTP2Framing
import Testing

/// Both sides of a connection, without sockets: what one writes, the other reads.
@Suite struct HTTP2SessionTests {
    /// A side that notes what it is told, and sends the bodies that it is given.
    final class Side: HTTP2Session {
        var blocks: [[String]] = []
        var bodies: [Int32: String] = [:]
        var ends: [Int32] = []
        var closed: [Int32: UInt32] = [:]
        var toSend: [Int32: [UInt8]] = [:]
        var trailers: [Int32: String] = [:]
        var output: [UInt8] = []
        var list = HTTP2FieldList()

        override func blockBegan(_ stream: Int32, opens: Bool) { blocks.append([]) }

        override func fieldReceived(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
            blocks[blocks.count - 1].append("\(name.text): \(value.text)")
            return true
        }

        override func dataReceived(_ stream: Int32, _ bytes: Span<UInt8>) {
            bodies[stream, default: ""] += bytes.text
            consume(bytes.count, of: stream)
        }

        override func frameReceived(_ frame: HTTP2Frame) {
            if frame.type == .data || frame.type == .headers, frame.endsStream { ends.append(frame.stream) }
        }

        override func streamClosed(_ stream: Int32, _ code: UInt32) { closed[stream] = code }

        override func nextBody(of stream: Int32, atMost most: Int) -> HTTP2Body {
            guard let bytes = toSend[stream] else { return .later }
            let count = min(bytes.count, most)
            if count < bytes.count { return .piece(count) }
            guard let lines = trailers[stream] else { return .last(count) }
            var buffer = ByteBuffer()
            buffer.append(Array(lines.utf8))
            let areSent = list.readTrailers(&buffer) { submitTrailers(stream, $0) }
            return areSent ? .beforeTrailers(count) : .last(count)
        }

        override func sendData(of stream: Int32, header: Span<UInt8>, count: Int) -> HTTP2Taking {
            guard let bytes = toSend[stream] else { return .streamIsGone }
            for index in 0..<header.count { output.append(header[index]) }
            output += bytes[..<count]
            toSend[stream] = Array(bytes[count...])
            return .taken
        }

        func write() -> [UInt8] {
            while true {
                let before = output.count
                let more = next { bytes in for index in 0..<bytes.count { output.append(bytes[index]) } }
                if more != .bytes, output.count == before { break }
            }
            defer { output = [] }
            return output
        }

        func request(_ head: String, isSecure: Bool = false, hasBody: Bool = false) -> Int32? {
            var buffer = ByteBuffer()
            buffer.append(Array(head.utf8))
            // SAFETY: the object is asked for by nobody.
            let object = Unmanaged.passUnretained(self).toOpaque()
            return list.readRequest(&buffer, isSecure: isSecure) {
                submitRequest($0, hasBody: hasBody, object: object)
            } ?? nil
        }

        func answer(_ stream: Int32, _ head: String, hasBody: Bool) {
            var buffer = ByteBuffer()
            buffer.append(Array(head.utf8))
            list.readAnswer(&buffer) { submitAnswer(stream, $0, hasBody: hasBody) }
        }
    }

    let client: Side
    let server: Side

    init() throws {
        client = try #require(Side(HTTP2Callbacks(.client)))
        server = try #require(Side(HTTP2Callbacks(.server)))
        client.submit([HTTP2Setting(.enablePush, 0)], connectionWindow: 1_048_576)
        server.submit([HTTP2Setting(.maxConcurrentStreams, 7)], connectionWindow: 1_048_576)
        exchange()
    }

    /// Carries what either side has to say to the other, until both are silent.
    func exchange() {
        while true {
            let one = client.write()
            let other = server.write()
            if one.isEmpty, other.isEmpty { return }
            _ = server.take(one.span)
            _ = client.take(other.span)
        }
    }

    @Test func settingsReachTheOtherSide() { #expect(client.mostStreams == 7) }

    @Test func aRequestHasItsPseudoFieldsFirst() throws {
        let stream = client.request("GET /a?b HTTP/1.1\r\nX-Upper: A b\r\nHost: example\r\nX-Empty:\r\n\r\n")
        exchange()
        #expect(stream == 1)
        #expect(
            server.blocks == [
                [
                    ":method: GET", ":scheme: http", ":path: /a?b", ":authority: example", "x-upper: A b", "x-empty: ",
                ]
            ])
        #expect(server.ends == [1])
    }

    /// What is about a connection of HTTP/1 stays behind, `TE` but for trailers, and what this hop has dealt with.
    @Test func fieldsOfTheConnectionStayBehind() throws {
        let fields = [
            "Host: h", "Connection: TE, x", "Keep-Alive: 5", "Proxy-Connection: close", "Transfer-Encoding: chunked",
            "Upgrade: websocket", "Expect: 100-continue", "TE: trailers", "Te: gzip", "Content-Length: 0",
        ]
        _ = client.request("POST / HTTP/1.1\r\n" + fields.joined(separator: "\r\n") + "\r\n\r\n", isSecure: true)
        exchange()
        #expect(
            server.blocks == [
                [":method: POST", ":scheme: https", ":path: /", ":authority: h", "te: trailers", "content-length: 0"]
            ])
    }

    @Test func aRequestWithoutHostHasNoAuthority() throws {
        _ = client.request("OPTIONS * HTTP/1.1\r\n\r\n")
        exchange()
        #expect(server.blocks == [[":method: OPTIONS", ":scheme: http", ":path: *"]])
    }

    @Test(arguments: ["", "GET", "GET /", " / HTTP/1.1\r\n", "GET  HTTP/1.1\r\n", "\r\n\r\n"])
    func whatIsNoHeadIsNotSent(_ head: String) {
        #expect(client.request(head) == nil)
        #expect(client.write().isEmpty)
    }

    @Test func bodiesAndTrailersPassBothWays() throws {
        let stream = try #require(client.request("POST / HTTP/1.1\r\nHost: h\r\n\r\n", hasBody: true))
        let large = [UInt8](repeating: 120, count: 300_000)
        client.toSend[stream] = large
        client.trailers[stream] = "X-Sum: 1\r\n"
        exchange()
        #expect(server.bodies[stream]?.utf8.count == large.count)
        #expect(server.blocks.last == ["x-sum: 1"])
        #expect(server.ends == [stream])
        server.toSend[stream] = Array("answer".utf8)
        server.trailers[stream] = "Connection: close\r\n"
        server.answer(stream, "200X-A: b\r\n", hasBody: true)
        exchange()
        #expect(client.blocks == [[":status: 200", "x-a: b"]])
        #expect(client.bodies[stream] == "answer")
        #expect(client.ends == [stream])
        #expect(client.closed == [stream: 0] && server.closed == [stream: 0])
    }

    @Test func resetsAndGoAwayAreTold() throws {
        let streams = (0..<3).map { _ in client.request("GET / HTTP/1.1\r\nHost: h\r\n\r\n") }
        #expect(streams == [1, 3, 5])
        exchange()
        server.submitReset(1, .refusedStream)
        client.submitReset(3, .cancel)
        exchange()
        #expect(client.closed[1] == HTTP2ErrorCode.refusedStream.rawValue)
        #expect(server.closed[3] == HTTP2ErrorCode.cancel.rawValue)
        server.terminate(.noError)
        exchange()
        #expect(server.isDone)
        client.discard()
        #expect(!client.isAlive && client.isDone)
        #expect(client.take([0].span) == .failed)
    }
}

extension Span where Element == UInt8 {
    fileprivate var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
