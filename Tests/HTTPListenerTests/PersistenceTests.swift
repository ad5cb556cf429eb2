import EventLoops
import Foundation
import Testing

@testable import HTTPListener

/// Whether a connection goes on after an answer, and how it ends (RFC 9112 §9.3, §9.6).
@Suite struct PersistenceTests {
    struct Case: CustomTestStringConvertible {
        var head: String
        var staysOpen: Bool
        /// What the answer must and must not say.
        var says: String?
        var saysNot: String?
        var testDescription: String { head }
    }

    @Test(arguments: [
        Case(head: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", staysOpen: true, says: nil, saysNot: "Connection:"),
        Case(
            head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", staysOpen: false, says: "Connection: close",
            saysNot: nil),
        Case(
            head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", staysOpen: false,
            says: "Connection: close", saysNot: nil),
        Case(head: "GET / HTTP/1.0\r\n\r\n", staysOpen: false, says: "Connection: close", saysNot: "keep-alive"),
        Case(
            head: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", staysOpen: true, says: "Connection: keep-alive",
            saysNot: "close"),
        Case(
            head: "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", staysOpen: false,
            says: "Connection: close",
            saysNot: "keep-alive"),
        Case(
            head: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", staysOpen: true, says: nil,
            saysNot: "Connection:"),
    ])
    func aConnectionGoesOnAsBothSidesAgreed(_ expected: Case) throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.reply("whole") }
        let client = try bench.client()
        client.send(expected.head)
        try #require(client.receives("\r\n\r\nwhole"))
        #expect(client.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        if let says = expected.says { #expect(client.text.contains(says + "\r\n")) }
        if let saysNot = expected.saysNot { #expect(!client.text.contains(saysNot)) }
        if expected.staysOpen {
            client.forget()
            client.send(expected.head)
            #expect(client.receives("whole"))
            #expect(bench.server.connectionCount == 1)
        } else {
            #expect(client.readToEnd() == .ended)
            #expect(bench.drive { bench.server.connectionCount == 0 })
        }
        #expect(bench.server.records.allSatisfy { $0.finished == 1 && $0.failures.isEmpty })
    }

    /// The last answers must arrive although the client has sent more than the connection takes: to close with bytes
    /// unread would reset it (RFC 9112 §9.6).
    @Test(arguments: [5, 3000])
    func theLastAnswerOfAConnectionArrives(requests: Int) throws {
        let bench = try ListenerBench { $0.requestsPerConnection = 2 }
        let client = try bench.client()
        client.send((0..<requests).map { "GET /\($0);\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasSuffix("/1;1"))
        #expect(client.text.components(separatedBy: "Connection: close").count == 2)
        #expect(bench.server.records.count == 2)
        client.close()
        #expect(bench.drive { bench.server.connectionCount == 0 })
    }

    /// Answering before the request's body has been read ends the connection, and the answer arrives all the same.
    @Test func anAnswerBeforeTheBodyEndsTheConnection() throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.reply(status: 403, "no") }
        let client = try bench.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
        client.send([UInt8](repeating: 0x41, count: 3_000_000))
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix("HTTP/1.1 403"))
        #expect(client.text.contains("Connection: close\r\n"))
        #expect(client.text.hasSuffix("\r\n\r\nno"))
        client.close()
        #expect(bench.drive { bench.server.connectionCount == 0 })
        #expect(bench.server.records == [.init(path: "/", finished: 1)])
    }

    /// What is no request is refused, and the refusal arrives with whatever follows still on its way.
    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", "400"), ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n", "431"),
    ])
    func aRefusalArrivesAndNothingBehindItIsRead(request: String, status: String) throws {
        let bench = try ListenerBench()
        let client = try bench.client()
        let behind = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
        client.send(request + String(repeating: behind, count: 4000))
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(client.text.components(separatedBy: "HTTP/1.1 ").count == 2)
        #expect(bench.server.records.count == 1)
        #expect(bench.server.records[0].failures == [.refused])
        #expect(bench.server.records[0].finished == 1)
    }

    /// A body whose framing breaks is refused in the same way (RFC 9112 §7.1, §11.2).
    @Test func aBrokenBodyIsRefused() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n")
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix("HTTP/1.1 400 "))
        #expect(bench.server.records.map(\.failures) == [[.badBody]])
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHo", "", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"])
    func aClientThatIsGoneIsToldOnce(request: String) throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send(request)
        try #require(bench.drive { bench.server.connectionCount == 1 })
        bench.settle()
        client.reset()
        #expect(bench.drive { bench.server.connectionCount == 0 })
        let told = request.hasPrefix("POST")
        #expect(bench.server.records.map(\.failures) == (told ? [[.clientClosed]] : []))
        #expect(bench.server.records.allSatisfy { $0.finished == 1 })
    }

    @Test func aClientThatLeavesWhileItsAnswerIsMadeIsToldOnce() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.running.count == 1 })
        client.close()
        #expect(bench.drive { bench.server.running.isEmpty })
        #expect(bench.server.records == [.init(path: "/slow", failures: [.clientClosed], finished: 1)])
        #expect(bench.server.connectionCount == 0)
    }

    /// An exchange whose connection is gone may go on writing: nothing comes of it.
    @Test func writingToAClientThatIsGoneIsHarmless() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.running.count == 1 })
        let exchange = bench.server.running[0]
        exchange.beginHead(status: 200)
        exchange.endHead(.stream)
        exchange.flush()
        try #require(client.receives("\r\n\r\n"))
        client.reset()
        try #require(bench.drive { bench.server.running.isEmpty })
        exchange.write([1, 2, 3])
        exchange.endResponse()
        exchange.abortResponse()
        #expect(bench.server.records == [.init(path: "/", failures: [.clientClosed], finished: 1)])
    }
}
