import ByteBuffers
import Foundation
import Testing

@testable import DistributedTracing

/// Spans for tests.
enum SpanSamples {
    /// No `tracestate`.
    static let none: [UInt8] = []

    /// Writes one span of the trace with this number.
    static func write(trace: UInt64, name: String, to spans: inout ByteBuffer) {
        var writer = SpanWriter()
        let span = TraceSpan(kind: .server, spanID: trace, parentID: 0, start: 1)
        writer.begin(
            .init(traceID: TraceID(high: 1, low: trace), span: span, flags: .sampled, start: 1, end: 2),
            state: Self.none.span)
        writer.setName(Array(name.utf8).span)
        writer.end(into: &spans)
    }

    /// A writer in which a span has begun.
    static func begun() -> SpanWriter {
        var writer = SpanWriter()
        let span = TraceSpan(kind: .server, spanID: 1, parentID: 0, start: 1)
        writer.begin(
            .init(traceID: TraceID(high: 1, low: 1), span: span, flags: .sampled, start: 1, end: 2), state: none.span)
        return writer
    }

    /// The only span of `spans`, told in JSON.
    static func object(_ spans: borrowing ByteBuffer) throws -> [String: Any] {
        let ranges = SpanText.spans(in: spans.span)
        try #require(ranges.count == 1)
        var text = ByteBuffer()
        SpanText.append(spans.span.slice(ranges[0]), to: &text)
        let data = text.withUnsafeBytes { Data($0) }
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
}

extension SpanWriter {
    /// Ends the span and moves what was written to `spans`.
    mutating func end(into spans: inout ByteBuffer) {
        end()
        take { written in
            spans.append(written.span)
            written.removeAll()
        }
    }
}

/// Spans in protobuf, and told in JSON. OpenTelemetry's own definitions read them in the end-to-end tests.
@Suite struct SpanWriterTests {
    @Test func aSpanTellsWhatWasWritten() throws {
        var writer = SpanWriter()
        var span = TraceSpan(kind: .client, spanID: 0x0102_0304_0506_0708, parentID: 0xFF, start: 0)
        span.status = 200
        let id = TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c)
        writer.begin(
            .init(traceID: id, span: span, flags: [.sampled, .random], start: 5, end: 3), state: Array("a=b".utf8).span)
        writer.setName(Array("GET".utf8).span, Array("/a/{b}".utf8))
        writer.add("text", Array("ä\"\n\u{1F600}".utf8).span)
        writer.add("broken", [0x61, 0xFF, 0x62].span)
        writer.add("word", "of ours")
        writer.add("zero", 0)
        writer.add("number", 1_234_567)
        writer.add("negative", -5)
        writer.add("true")
        writer.add("long", [UInt8](repeating: 0x78, count: 20_000).span)
        writer.beginEvent("first", at: 7)
        writer.add("of event", "yes")
        writer.endEvent()
        writer.beginEvent("second", at: 8)
        writer.endEvent()
        writer.add("behind", "it")
        writer.addLink(SpanReference(traceID: TraceID(high: 1, low: 2), spanID: 3))
        writer.setFailed()
        var spans = ByteBuffer()
        writer.end(into: &spans)
        let object = try SpanSamples.object(spans)
        #expect(object["traceId"] as? String == "0af7651916cd43dd8448eb211c80319c")
        #expect(object["spanId"] as? String == "0102030405060708")
        #expect(object["parentSpanId"] as? String == "00000000000000ff")
        #expect(object["traceState"] as? String == "a=b" && object["name"] as? String == "GET /a/{b}")
        #expect(object["kind"] as? Int == 3 && object["status"] as? String == "error")
        #expect(object["startTimeUnixNano"] as? String == "5")
        #expect(object["endTimeUnixNano"] as? String == "5", "no span ends before it begins")
        let attributes = try #require(object["attributes"] as? [String: Any])
        #expect(attributes["text"] as? String == "ä\"\n\u{1F600}" && attributes["broken"] as? String == "a\u{FFFD}b")
        #expect(attributes["word"] as? String == "of ours" && attributes["behind"] as? String == "it")
        #expect(attributes["zero"] as? Int == 0 && attributes["number"] as? Int == 1_234_567)
        #expect(attributes["negative"] as? Int == -5 && attributes["true"] as? Bool == true)
        #expect((attributes["long"] as? String)?.utf8.count == 20_000 && attributes.count == 9)
        let events = try #require(object["events"] as? [[String: Any]])
        #expect(events.map { $0["name"] as? String } == ["first", "second"])
        #expect(events[0]["attributes"] as? [String: String] == ["of event": "yes"])
        let links = try #require(object["links"] as? [[String: String]])
        #expect(links == [["traceId": "00000000000000010000000000000002", "spanId": "0000000000000003"]])
    }

    /// Lengths and numbers take one byte more at powers of 128; what is written in short stands as what is written at length.
    @Test func attributesOfEveryLength() throws {
        for count in Array(0...140) + [16_370, 16_383, 16_384] {
            var writer = SpanSamples.begun()
            let text = String(repeating: "x", count: count)
            writer.add("key", Array(text.utf8).span)
            writer.add("ascii", Array(text.utf8).span)
            writer.beginEvent("event", at: 1)
            writer.add("key", Array(text.utf8).span)
            writer.endEvent()
            var spans = ByteBuffer()
            writer.end(into: &spans)
            let object = try SpanSamples.object(spans)
            #expect(object["attributes"] as? [String: String] == ["key": text, "ascii": text], "\(count)")
            let events = try #require(object["events"] as? [[String: Any]])
            #expect(events[0]["attributes"] as? [String: String] == ["key": text], "\(count)")
        }
    }

    @Test func numbersOfEverySize() throws {
        var numbers = [0, -1, .max, .min]
        for shift in 0..<63 { numbers += [1 << shift, (1 << shift) - 1] }
        for number in numbers {
            var writer = SpanSamples.begun()
            writer.add("number", number)
            writer.add("behind", "it")
            var spans = ByteBuffer()
            writer.end(into: &spans)
            let attributes = try #require(try SpanSamples.object(spans)["attributes"] as? [String: Any])
            #expect(attributes["number"] as? Int == number && attributes["behind"] as? String == "it", "\(number)")
        }
    }

    @Test func attributesMadeBefore() throws {
        let block = SpanWriter.attributes { writer in
            writer.add("fixed", "yes")
            writer.add("port", 8080)
        }
        var writer = SpanSamples.begun()
        writer.addRequestID(HexText(0xAB, 0x1))
        writer.add(madeBefore: block.span)
        writer.add("behind", "it")
        var spans = ByteBuffer()
        writer.end(into: &spans)
        let attributes = try #require(try SpanSamples.object(spans)["attributes"] as? [String: Any])
        #expect(attributes["banyan.request_id"] as? String == "00000000000000ab0000000000000001")
        #expect(attributes["fixed"] as? String == "yes" && attributes["port"] as? Int == 8080)
        #expect(attributes["behind"] as? String == "it" && attributes.count == 4)
    }

    /// What is written in place is right whatever its length, and stays what it is where it is not ASCII.
    @Test(arguments: [0, 1, 100, 117, 118, 127, 128, 5_000])
    func textsWrittenInPlace(count: Int) throws {
        var writer = SpanSamples.begun()
        let text = String(repeating: "x", count: count)
        writer.add("url") { $0.append(text) }
        writer.add("umlaut") { $0.append("\u{FC}" + text) }
        writer.add("broken") {
            $0.append(0xFF)
            $0.append(text)
        }
        writer.add("behind", "it")
        var spans = ByteBuffer()
        writer.end(into: &spans)
        let attributes = try #require(try SpanSamples.object(spans)["attributes"] as? [String: Any])
        #expect(attributes["url"] as? String == text && attributes["umlaut"] as? String == "\u{FC}" + text)
        #expect(attributes["broken"] as? String == "\u{FFFD}" + text && attributes["behind"] as? String == "it")
    }

    /// A writer that is used again has nothing of the last span.
    @Test func aWriterIsUsedAgain() throws {
        var writer = SpanWriter()
        var spans = ByteBuffer()
        for number in 1...3 {
            let span = TraceSpan(kind: .internal, spanID: UInt64(number), parentID: 0, start: 0)
            writer.begin(
                .init(traceID: TraceID(high: 0, low: 9), span: span, flags: [], start: 1, end: 2),
                state: SpanSamples.none.span)
            writer.setName(Array("\(number)".utf8).span)
            if number == 2 { writer.add("only", "here") }
            writer.end(into: &spans)
        }
        let ranges = SpanText.spans(in: spans.span)
        #expect(ranges.count == 3)
        for (index, range) in ranges.enumerated() {
            var text = ByteBuffer()
            SpanText.append(spans.span.slice(range), to: &text)
            #expect(text.text.contains("\"name\":\"\(index + 1)\""))
            #expect(text.text.contains("only") == (index == 1))
            #expect(SpanText.traceID(of: spans.span.slice(range)) == TraceID(high: 0, low: 9))
        }
    }

    @Test func sizesOfVarints() {
        for value in [0, 1, 127, 128, 16_383, 16_384, UInt64(UInt32.max), .max] as [UInt64] {
            var buffer = ByteBuffer()
            buffer.appendVarint(value)
            #expect(buffer.count == Protobuf.size(value), "\(value)")
        }
    }

    /// Bytes that are no protobuf end the reading, wherever they stand.
    @Test func nonsenseIsNotRead() {
        var spans = ByteBuffer()
        SpanSamples.write(trace: 5, name: "GET", to: &spans)
        let whole = spans.withUnsafeBytes { Array($0) }
        var random = SeededGenerator(state: 1)
        for round in 0..<2_000 {
            var bytes = whole
            for _ in 0...(round % 4) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if round % 3 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random)) }
            for range in SpanText.spans(in: bytes.span) {
                var text = ByteBuffer()
                SpanText.append(bytes.span.slice(range), to: &text)
                _ = SpanText.traceID(of: bytes.span.slice(range))
            }
            _ = PartialSuccess(reading: bytes.span)
        }
    }

    @Test func recentTracesAreTheLastOnes() throws {
        let recent = RecentTraces(traces: 3)
        for trace in 1...100 {
            var spans = ByteBuffer()
            SpanSamples.write(trace: UInt64(trace), name: "first", to: &spans)
            SpanSamples.write(trace: UInt64(trace), name: "second", to: &spans)
            recent.keep(SpanChunk(spans, spans: 2))
        }
        var text = ByteBuffer()
        recent.append(to: &text)
        let data = text.withUnsafeBytes { Data($0) }
        let traces = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        #expect(
            traces.map { $0["traceId"] as? String }
                == [100, 99, 98].map { String(format: "0000000000000001%016x", $0) })
        let names = (traces[0]["spans"] as? [[String: Any]])?.map { $0["name"] as? String }
        #expect(names == ["first", "second"])
    }
}
