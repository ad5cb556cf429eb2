import ByteBuffers
import HTTPMessage
import Testing

/// What a head may cost, whatever is sent.
@Suite struct HeadLimitsTests {
    private static let limits = HeadLimits(head: 600, fields: 10, target: 100)

    /// A request whose head has exactly `count` bytes.
    private func sized(_ count: Int) -> String {
        let empty = request("GET / HTTP/1.1", "X: \r\n")
        return request("GET / HTTP/1.1", "X: " + String(repeating: "a", count: count - empty.utf8.count) + "\r\n")
    }

    @Test func takesAHeadOfTheLimitAndNoByteMore() {
        #expect(sized(600).utf8.count == 600)
        #expect(RequestFeeding.feedInEverySplit(sized(600), limits: Self.limits).request != nil)
        #expect(RequestFeeding.feedInEverySplit(sized(601), limits: Self.limits).error?.cause == .headersTooLarge)
        #expect(RequestFeeding.feedInEverySplit(sized(5000), limits: Self.limits).error?.cause == .headersTooLarge)
        // A full head that has not ended is not refused before there is another byte.
        let full = Array(sized(601).utf8.prefix(600))
        #expect(RequestFeeding.feedInEverySplit(full, limits: Self.limits) == .incomplete)
    }

    @Test func takesAsManyFieldsAsTheLimitAndNoneMore() {
        let nine = String(repeating: "X: a\r\n", count: 9)
        #expect(RequestFeeding.feedInEverySplit(request("GET / HTTP/1.1", nine), limits: Self.limits).request != nil)
        let ten = nine + "X: a\r\n"
        let outcome = RequestFeeding.feedInEverySplit(request("GET / HTTP/1.1", ten), limits: Self.limits)
        #expect(outcome.error?.cause == .headersTooLarge)
    }

    /// RFC 9112 §3: a target that is too long is 414, also while it still arrives.
    @Test func takesATargetOfTheLimitAndNoByteMore() {
        let target = "/" + String(repeating: "a", count: 99)
        #expect(RequestFeeding.feedInEverySplit(request("GET \(target) HTTP/1.1"), limits: Self.limits).request != nil)
        for tail in ["a HTTP/1.1", "a", String(repeating: "a", count: 5000), "a HTTP/1.1 x", "a\u{e9} HTTP/2.0"] {
            let outcome = RequestFeeding.feedInEverySplit("GET \(target)\(tail)\r\n\r\n", limits: Self.limits)
            #expect(outcome.error?.cause == .uriTooLong, "\(tail.prefix(20))")
        }
        let endless = "GET /" + String(repeating: "a", count: 400)
        #expect(RequestFeeding.feedInEverySplit(endless, limits: Self.limits).error?.cause == .uriTooLong)
    }

    @Test func refusesAMethodThatDoesNotEnd() {
        let endless = String(repeating: "A", count: 400)
        #expect(RequestFeeding.feedInEverySplit(endless, limits: Self.limits).error?.cause == .badRequest)
        let longest = String(repeating: "A", count: 32)
        #expect(RequestFeeding.feedInEverySplit(request("\(longest) / HTTP/1.1")).request?.method == longest)
    }

    /// Whatever the limits are, a request line that does not fit them is refused for its target.
    @Test func aHeadLimitBelowTheTargetLimitHolds() {
        let limits = HeadLimits(head: 50, fields: 10, target: 100)
        let outcome = RequestFeeding.feedInEverySplit("GET /" + String(repeating: "a", count: 60), limits: limits)
        #expect(outcome.error?.cause == .uriTooLong)
    }

    /// One empty line before the request line is passed over (RFC 9112 §2.2) and does not begin the request.
    @Test func anEmptyLineDoesNotBeginARequest() throws {
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        for (piece, hasBegun) in [("\r", false), ("\n", false), ("G", true), ("ET / HTTP/1.1\r\nHost: a\r\n", true)] {
            let progress = parser.consume(Array(piece.utf8).span, into: &head)
            #expect(progress == .incomplete)
            #expect(parser.hasBegun == hasBegun, "\(piece.debugDescription)")
        }
        #expect(parser.consume(Array("\r\nGET".utf8).span, into: &head) == .complete(consumed: 2))
        #expect(!parser.hasBegun)
        let text = "\r\n" + request("GET /x/../y HTTP/1.1", "X: a\r\n")
        let read = try #require(RequestFeeding.feedInEverySplit(text).request)
        #expect(read.path == "/y")
        #expect(read.fields.map(\.value) == ["a.example", "a"])
    }

    /// Requests that follow each other in one input are read one by one, and nothing of one is left in the next.
    @Test func readsPipelinedRequests() throws {
        let texts = [
            request("POST /a/../b?q HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 0\r\nConnection: close\r\n"),
            request("OPTIONS * HTTP/1.1"), request("GET http://b.example:1/c HTTP/1.1"), "GET /d HTTP/1.0\r\n\r\n",
        ]
        let bytes = Array(texts.joined().utf8)
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        var position = 0
        for text in texts {
            let alone = try #require(RequestFeeding.feed(Array(text.utf8)).request)
            let progress = parser.consume(bytes.span.extracting(position..<bytes.count), into: &head)
            #expect(progress == .complete(consumed: text.utf8.count))
            let read = ReadRequest(head, consumed: text.utf8.count)
            #expect(read == alone)
            position += text.utf8.count
        }
    }

    /// After the largest head, the buffers have grown as far as they ever will.
    @Test func memoryIsBounded() {
        var generator = MessageGenerator(seed: 7)
        var parser = HTTP1RequestParser(limits: Self.limits)
        var head = RequestHead()
        var endless = Array("GET / HTTP/1.1\r\nHost: a\r\nX: ".utf8)
        endless += Array(repeating: UInt8(ascii: "a"), count: 1_000_000)
        for round in 0..<2000 {
            parser.reset()
            let bytes = round % 500 == 0 ? endless : round % 2 == 0 ? generator.requests() : generator.noise(2000)
            _ = RequestFeeding.feed(bytes, cuts: generator.cuts(bytes.count), parser: &parser, head: &head)
            let (count, capacity, fields) = (head.bytes.count, head.bytes.capacity, head.fields.count)
            // The normal path comes on top of the head and is no longer than the target.
            #expect(count <= Self.limits.head + Self.limits.target)
            #expect(capacity <= 2 * (Self.limits.head + Self.limits.target))
            #expect(fields <= Self.limits.fields)
        }
        head.releaseMemory()
        let capacity = head.bytes.capacity
        #expect(capacity == 0)
    }
}
