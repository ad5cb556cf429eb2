import ByteBuffers
import DistributedTracing
import HTTPMessage
import Testing

@testable import GatewayCore

/// Hosts and programs that come again and again.
@Suite struct RepeatedTextsTests {
    private static func head(host: String?, agent: String?) throws -> RequestHead {
        var text = "GET / HTTP/1.1\r\n"
        if let host { text += "Host: \(host)\r\n" }
        if let agent { text += "User-Agent: \(agent)\r\n" }
        var head = RequestHead()
        var parser = HTTP1RequestParser(limits: HeadLimits())
        let bytes = Array((text + "\r\n").utf8)
        guard case .complete = parser.consume(bytes.span, into: &head) else { throw Unreadable() }
        return head
    }

    private struct Unreadable: Error {}

    /// What a line says of both, where they are remembered.
    private static func told(_ texts: inout RepeatedTexts, host: String?, agent: String?) throws -> String? {
        let head = try head(host: host, agent: agent)
        texts.next()
        guard let entry = texts.entry(of: head) else { return nil }
        var line = ByteBuffer()
        texts.appendHost(entry, to: &line)
        texts.appendAgent(entry, to: &line)
        return line.text
    }

    @Test func isRememberedFromTheSecondTimeOn() throws {
        var texts = RepeatedTexts()
        for (number, host) in ["a.example", "a.example:8080", "[::1]:80"].enumerated() {
            let agent = #"curl/8 "\#(number)""#
            #expect(try Self.told(&texts, host: host, agent: agent) == nil)
            for _ in 0..<3 {
                #expect(try Self.told(&texts, host: host, agent: agent) == #""\#(host)""curl/8 \"\#(number)\"""#)
            }
        }
    }

    @Test func withoutEitherNothingIsRemembered() throws {
        var texts = RepeatedTexts()
        for _ in 0..<3 {
            #expect(try Self.told(&texts, host: "a", agent: nil) == nil)
            #expect(try Self.told(&texts, host: "a", agent: String(repeating: "x", count: 512)) == nil)
        }
    }

    /// Whatever shares a place with whatever, nobody is told of as somebody else.
    @Test func nobodyIsTakenForSomebodyElse() throws {
        var texts = RepeatedTexts()
        var state: UInt64 = 7
        func next(below bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        for _ in 0..<20_000 {
            let host = "h\(next(below: 40)).example"
            // Many that differ in nothing but their first bytes, or their length.
            let agent = "\(next(below: 30))" + String(repeating: "-agent", count: Int(next(below: 3)))
            guard let told = try Self.told(&texts, host: host, agent: agent) else { continue }
            try #require(told == "\"\(host)\"\"\(agent)\"")
        }
    }

    /// However many there are, and whatever they are made of; whoever comes again later is remembered as before.
    @Test func aFloodOfOthersTakesNoMoreMemory() throws {
        var texts = RepeatedTexts()
        var most = 0
        for number in 0..<10_000 {
            // As long as one may be, of bytes that take more room in JSON; or short; and some that share their place.
            let agent = number % 3 == 0 ? "\(number)" + String(repeating: "\"", count: 480) : "agent \(number)"
            for _ in 0..<3 { _ = try Self.told(&texts, host: "h\(number % 7)", agent: agent) }
            most = max(most, texts.byteCount)
        }
        #expect(most > 100_000 && most < 140_000, "\(most)")
        _ = try Self.told(&texts, host: "a", agent: "b")
        #expect(try Self.told(&texts, host: "a", agent: "b") == #""a""b""#)
    }

    @Test func spansSayTheSame() throws {
        var texts = RepeatedTexts()
        _ = try Self.told(&texts, host: "a.example:8080", agent: "curl")
        let head = try Self.head(host: "a.example:8080", agent: "curl")
        texts.next()
        let found = texts.entry(of: head)
        let entry = try #require(found)
        let expected = SpanWriter.attributes { writer in
            writer.add("server.address", Array("a.example".utf8))
            writer.add("server.port", 8080)
            writer.add("user_agent.original", Array("curl".utf8))
        }
        let made = SpanWriter.attributes { texts.addAttributes(entry, to: &$0) }
        #expect(made == expected)
    }
}
