import ByteBuffers
import HTTPMessage
import Testing

/// Random and damaged input, the same on every run: no reader may crash, or read differently when the input is split.
@Suite struct NoiseTests {
    @Test(arguments: 0..<8)
    func requestsAreReadTheSameInEverySplit(_ seed: UInt64) {
        var generator = MessageGenerator(seed: 100 + seed)
        var parser = HTTP1RequestParser(limits: HeadLimits(head: 2000, fields: 10, target: 200))
        var head = RequestHead()
        for round in 0..<500 {
            let bytes = round % 3 == 0 ? generator.noise(Int(generator.random.next() % 300)) : generator.requests()
            parser.reset()
            let whole = RequestFeeding.feed(bytes, cuts: [], parser: &parser, head: &head)
            for _ in 0..<4 {
                let cuts = generator.cuts(bytes.count)
                parser.reset()
                let split = RequestFeeding.feed(bytes, cuts: cuts, parser: &parser, head: &head)
                #expect(split == whole, "\(bytes) cut at \(cuts)")
            }
        }
    }

    @Test(arguments: 0..<8)
    func responsesAreReadTheSameInEverySplit(_ seed: UInt64) {
        var generator = MessageGenerator(seed: 200 + seed)
        for round in 0..<300 {
            let bytes = round % 3 == 0 ? generator.noise(Int(generator.random.next() % 300)) : generator.responses()
            let whole = ResponseFeeding.feed(bytes)
            for _ in 0..<3 {
                let cuts = generator.cuts(bytes.count)
                #expect(ResponseFeeding.feed(bytes, cuts: cuts) == whole, "\(bytes) cut at \(cuts)")
            }
        }
    }

    @Test(arguments: 0..<8)
    func bodiesAreReadTheSameInEverySplit(_ seed: UInt64) {
        var generator = MessageGenerator(seed: 300 + seed)
        var decoder = BodyDecoder()
        for _ in 0..<500 {
            let bytes = generator.chunkedBody()
            decoder.begin(.chunked)
            let whole = BodyFeeding.feed(bytes, into: &decoder)
            let kept = decoder.chunks.trailers.bytes.count
            #expect(kept <= TrailerSection.mostBytes)
            for _ in 0..<4 {
                let cuts = generator.cuts(bytes.count)
                decoder.begin(.chunked)
                let split = BodyFeeding.feed(bytes, cuts: cuts, into: &decoder)
                #expect(split == whole, "\(bytes) cut at \(cuts)")
            }
        }
    }

    /// A normal path has no dot segment, no bad triplet, no encoded unreserved character, and is its own normal form;
    /// every path that is taken keeps its reading when all that may be decoded is decoded (RFC 3986 §6.2.2).
    @Test(arguments: 0..<8)
    func normalPathsAreNormal(_ seed: UInt64) {
        var generator = MessageGenerator(seed: 400 + seed)
        let pieces = [
            "/", "/", ".", "..", "%2e", "%2E", "%2f", "%5C", "a", "%61", "%7e", "%20", "%", "%zz", ";", "%00", "~",
        ]
        for _ in 0..<2000 {
            let path = "/" + (0..<(generator.random.next() % 12)).map { _ in generator.pick(pieces) }.joined()
            var buffer = ByteBuffer()
            buffer.append(path)
            let given = ByteRange(start: 0, count: buffer.count)
            guard buffer.appendNormalisedPath(given) == nil else {
                let left = buffer.count
                #expect(left == path.utf8.count, "a refused path leaves the buffer as it was")
                continue
            }
            let normal = buffer.span(ByteRange(start: path.utf8.count, count: buffer.count)).text
            #expect(normal.utf8.count <= path.utf8.count)
            #expect(normal.hasPrefix("/"))
            let segments = normal.split(separator: "/", omittingEmptySubsequences: false)
            #expect(!segments.contains(".") && !segments.contains(".."), "\(path)")
            for unwanted in ["%2e", "%2E", "%61", "%7e", "%zz", "%00", "%5c", "%2f"] {
                #expect(!normal.contains(unwanted), "\(path)")
            }
            var again = ByteBuffer()
            again.append(normal)
            let range = ByteRange(start: 0, count: again.count)
            let fault = again.appendNormalisedPath(range)
            #expect(fault == nil)
            let twice = again.span(ByteRange(start: normal.utf8.count, count: again.count)).text
            #expect(twice == normal)
        }
    }

    @Test func addressesAndListsTakeAnyBytes() {
        var generator = MessageGenerator(seed: 500)
        let important = Array("0123456789abcdef:.[]/%, ".utf8)
        for _ in 0..<5000 {
            let bytes = (0..<(generator.random.next() % 48)).map { _ in generator.pick(important) }
            if let address = IPAddress(bytes.span) {
                #expect(HTTPMessageTests.address(HTTPMessageTests.text(address)) == address)
            }
            _ = try? CIDRBlock(bytes.span)
            if let authority = Authority(bytes.span) {
                #expect(authority.host.count > 0 && authority.host.end <= bytes.count)
            }
        }
    }
}
