import ByteBuffers
import EventLoops
import Foundation
import Testing

@testable import HTTPListener

/// How answers are framed and sent, and where servers listen.
@Suite struct AnswerTests {
    struct Framing {
        var request: String
        var body: ResponseBody
        var fields: String
        var bytes: String
    }

    @Test(arguments: [
        Framing(
            request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", body: .stream, fields: "Transfer-Encoding: chunked\r\n",
            bytes: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        Framing(
            request: "GET / HTTP/1.0\r\n\r\n", body: .stream, fields: "Connection: close\r\n", bytes: "hello world"),
        Framing(
            request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", body: .length(11), fields: "Content-Length: 11\r\n",
            bytes: "hello world"),
        Framing(
            request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", body: .none(declared: 11), fields: "Content-Length: 11\r\n",
            bytes: ""),
    ])
    func anAnswerIsFramedForItsClient(_ expected: Framing) throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(expected.body)
            exchange.write(Array("hello".utf8))
            exchange.write(Array(" world".utf8))
            exchange.endResponse()
        }
        let client = try bench.client()
        client.send(expected.request)
        try #require(client.receives("\r\n\r\n" + expected.bytes))
        bench.settle()
        client.read()
        #expect(client.text.contains(expected.fields))
        #expect(client.text.contains("\r\nDate: "))
        #expect(client.text.hasSuffix("\r\n\r\n" + expected.bytes))
    }

    /// An answer that is cut off never looks whole.
    @Test(arguments: [ResponseBody.stream, .length(100)])
    func anAbortedAnswerIsVisiblyCut(body: ResponseBody) throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(body)
            exchange.write(Array("part".utf8))
            exchange.flush()
        }
        let client = try bench.client()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(client.receives("part"))
        // A length that is not reached is the same as an answer cut off.
        if body == .stream { bench.server.running[0].abortResponse() } else { bench.server.running[0].endResponse() }
        #expect(client.readToEnd() == .reset)
        #expect(!client.text.contains("\r\n0\r\n"))
        #expect(bench.server.records == [.init(path: "/", finished: 1)])
    }

    /// A large answer to a slow reader: the source stops at the bound and goes on below it; nothing is lost.
    @Test(arguments: [100, 60_000])
    func aSlowReaderHoldsItsSourceBack(piece: Int) throws {
        let bench = try ListenerBench()
        let line = Array(String(repeating: "seventeen letters", count: piece / 17 + 1).utf8)
        let size = 12 << 20
        var written = 0
        var most = 0
        func fill(_ exchange: ScriptedExchange) {
            while written < size, !exchange.outputIsFull {
                exchange.write(line)
                written += line.count
                most = max(most, exchange.output.count)
            }
            exchange.flush()
            if written >= size, !exchange.hasEnded, exchange.channel != nil { exchange.endResponse() }
        }
        bench.server.answer = { exchange in
            exchange.onWritable = fill
            exchange.beginHead(status: 200)
            exchange.endHead(.stream)
            fill(exchange)
        }
        let client = try bench.client()
        client.send("GET / HTTP/1.0\r\n\r\n")
        bench.settle()
        #expect(written < size)
        #expect(bench.isQuiet())
        #expect(client.readToEnd() == .ended)
        #expect(most <= ConnectionLimits.highWater + line.count)
        #expect(bench.server.records.count == 1 && bench.server.records[0].writable > 0)
        let head = try #require(client.text.components(separatedBy: "\r\n\r\n").first)
        #expect(client.received.count - head.utf8.count - 4 == written)
    }

    /// Both directions at once: an echo pauses the upload while its client does not read.
    @Test func anEchoIsHeldBackByItsReader() throws {
        let bench = try ListenerBench()
        let client = try bench.client()
        let size = 40 << 20
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
        let piece = [UInt8](repeating: 0x61, count: 65_536)
        var sent = 0
        var rests = 0
        while rests < 30, sent < size {
            let count = client.sendWhatFits(piece.prefix(size - sent))
            sent += count
            rests = count == 0 ? rests + 1 : 0
            bench.settle(turns: 1)
        }
        #expect(sent < size)
        #expect(bench.isQuiet())
        #expect(
            bench.drive {
                sent += client.sendWhatFits(piece.prefix(size - sent))
                client.read()
                return client.received.count > size
            })
        #expect(bench.drive { bench.server.records.count == 1 })
        #expect(bench.server.records[0].body == size)
    }

    @Test func continueIsSentWhenTheRequestIsTaken() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.sendContinue()
            exchange.sendContinue()
            exchange.onBodyEnd = { $0.reply("taken") }
        }
        let client = try bench.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        try #require(client.receives("HTTP/1.1 100 Continue\r\n\r\n"))
        client.send("hi")
        #expect(client.receives("taken"))
        #expect(client.text.components(separatedBy: "100 Continue").count == 2)
    }

    @Test func unixSocketsReplaceStaleFilesAlone() throws {
        let path = "/tmp/banyan-\(UUID().uuidString).sock"
        defer { unlink(path) }
        do { _ = try ListeningSocket(.unix(path)) }
        try #require(FileManager.default.fileExists(atPath: path))
        let bench = try ListenerBench(.unix(path))
        #expect(throws: ListenError.self) { _ = try ListeningSocket(.unix(path)) }
        let client = try bench.client()
        client.send("GET /unix HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receives("/unix"))
        bench.server.drain(timeout: 1) {}
        #expect(bench.drive { !FileManager.default.fileExists(atPath: path) })
        try "mine".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: ListenError.self) { _ = try ListeningSocket(.unix(path)) }
        #expect(throws: ListenError.self) {
            _ = try ListeningSocket(.unix("/tmp/" + String(repeating: "a", count: 200)))
        }
    }

    @Test func theSystemChoosesAPort() throws {
        let bench = try ListenerBench()
        guard case .ip(let ip, let port) = bench.address else {
            Issue.record("an IP address is listened on")
            return
        }
        #expect(port != 0)
        #expect(SocketAddress.ip(ip, port: port).text == "127.0.0.1:\(port)")
    }
}
