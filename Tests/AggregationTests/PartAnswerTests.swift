import JSON
import Testing

@testable import Aggregation

/// What the answer of a part has to be, and how it comes into the view.
@Suite struct PartAnswerTests {
    /// An answer with a short name, for the longest ones too.
    struct Body: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var bytes: [UInt8]
        var reason: PartFailure.Reason

        init(_ name: String, _ bytes: [UInt8], _ reason: PartFailure.Reason = .invalidJSON) {
            testDescription = name
            self.bytes = bytes
            self.reason = reason
        }
    }

    /// What a bad answer gets (security §2.6): the default of an optional part, 502 for a required one.
    static let badBodies: [Body] = [
        Body("truncated", Array(#"{"a":"#.utf8), .invalidJSON), Body("empty", [], .invalidJSON),
        Body("html", Array("<!DOCTYPE html><p>hello</p>".utf8), .invalidJSON),
        Body("trailing", Array("{} x".utf8), .invalidJSON),
        Body("two values", Array("{}{}".utf8), .invalidJSON),
        Body("bom", [0xEF, 0xBB, 0xBF, 0x7B, 0x7D], .invalidJSON),
        Body("nan", Array("[NaN]".utf8), .invalidJSON), Body("infinity", Array("-Infinity".utf8), .invalidJSON),
        Body("invalid utf-8", [0x22, 0xC3, 0x28, 0x22], .invalidJSON),
        Body("raw nul", [0x22, 0x00, 0x22], .invalidJSON),
        Body("raw newline", Array("\"a\nb\"".utf8), .invalidJSON),
        Body("lone surrogate", Array(#""\ud800""#.utf8), .invalidJSON),
        Body("duplicate keys", Array(#"{"a":1,"a":2}"#.utf8), .invalidJSON),
        Body("duplicate keys in depth", Array(#"[{"b":{"a":1,"\u0061":2}}]"#.utf8), .invalidJSON),
        Body("depth 129", Array(repeating: 0x5B, count: 129) + Array(repeating: 0x5D, count: 129), .invalidJSON),
        Body(
            "depth 100,000", Array(repeating: 0x5B, count: 100_000) + Array(repeating: 0x5D, count: 100_000),
            .invalidJSON),
        Body("8 MiB and a byte", [0x22] + Array(repeating: 0x61, count: 8 * 1024 * 1024 - 1) + [0x22], .tooLarge),
        Body("gzip", [0x1F, 0x8B, 8, 0], .invalidJSON), Body("utf-16", [0xFF, 0xFE, 0x7B, 0, 0x7D, 0], .invalidJSON),
    ]

    @Test(arguments: badBodies)
    func badBodiesOfParts(_ body: Body) throws {
        let reason = body.reason
        var optional = try RunFixture(definition(part("a", "/a"), part("b", "/b", optional: true)))
        optional.answer(0, "1")
        optional.answer(1, body.bytes)
        expect(optional.outcome, .view(isPartial: true))
        expect(optional.view(), #"{"a":1,"b":null}"#)
        expect(optional.run.failure(of: 1), PartFailure(reason))

        var required = try RunFixture(definition(part("a", "/a"), part("b", "/b")))
        required.answer(1, body.bytes)
        expect(required.outcome, .failed(status: 502, part: 1, PartFailure(reason)))
    }

    /// What is unusual and yet JSON comes through as it is.
    static let goodBodies: [Body] = [
        "12345678901234567890", "1e999999", "-1E-999999", String(repeating: "7", count: 20_000), "0.10",
        "{ \"b\" : 1,\t\"a\":2 }", #""\u0041\/\ud83d\ude00""#,
        "\"" + String(repeating: "x", count: 2 * 1024 * 1024) + "\"",
        "{" + (0..<20_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}", "null", "\"\u{2028}\"",
        String(repeating: "[", count: 128) + String(repeating: "]", count: 128),
    ].map { Body(String($0.prefix(30)), Array($0.utf8)) }

    @Test(arguments: goodBodies)
    func answersPassByteForByte(_ body: Body) throws {
        var fixture = try RunFixture(definition(part("a", "/a")))
        fixture.answer(0, Array(" \n".utf8) + body.bytes + Array("\r\n ".utf8))
        let passed = Array(fixture.view().utf8) == Array(#"{"a":"#.utf8) + body.bytes + Array("}".utf8)
        #expect(passed)
    }

    @Test func anAnswerOfExactlyTheLimit() throws {
        var fixture = try RunFixture(definition(part("a", "/a")))
        fixture.answer(0, [0x22] + Array(repeating: 0x61, count: 8 * 1024 * 1024 - 2) + [0x22])
        expect(fixture.outcome, .view(isPartial: false))
    }

    @Test func whatIsTooLargeIsStoppedAtOnce() throws {
        var fixture = try RunFixture(definition(part("a", "/a", optional: true), part("b", "/b")))
        _ = fixture.actions()
        fixture.run.answerBegan(0, status: 200)
        fixture.run.answerHas(contentLength: 8 * 1024 * 1024, 0)
        expect(fixture.actions(), [])
        fixture.run.answerHas(contentLength: 8 * 1024 * 1024 + 1, 0)
        expect(fixture.actions(), [.cancel(0)])
        let megabyte = [UInt8](repeating: 0x20, count: 1024 * 1024)
        fixture.run.answerBegan(1, status: 200)
        for _ in 0..<8 { fixture.run.answerReceived(megabyte.span, 1) }
        expect(fixture.outcome, nil)
        fixture.run.answerReceived([0x20].span, 1)
        expect(fixture.actions(), [.cancel(1), .finished])
        expect(fixture.outcome, .failed(status: 502, part: 1, PartFailure(.tooLarge)))
    }

    @Test func tooManyValuesToLookIntoAreTooLarge() throws {
        let numbers = "[" + String(repeating: "1,", count: 1 << 20) + "1]"
        var looked = try RunFixture(definition(part("a", "/a", pick: "/0")))
        looked.answer(0, numbers)
        expect(looked.outcome, .failed(status: 502, part: 0, PartFailure(.tooLarge)))
        // What is only passed on costs no memory by the value.
        var passed = try RunFixture(definition(part("a", "/a")))
        passed.answer(0, numbers)
        expect(passed.outcome, .view(isPartial: false))
        expect(passed.run.answers[0].index.count, 1)
    }

    /// What the owner of the run finds out to be of no use: `not_json`, `bad_coding`.
    @Test(arguments: [PartFailure.Reason.notJSON, .badCoding, .tooLarge])
    func unusableAnswers(_ reason: PartFailure.Reason) throws {
        var fixture = try RunFixture(definition(part("a", "/a", optional: true), part("b", "/b")))
        _ = fixture.actions()
        fixture.run.answerBegan(0, status: 200)
        fixture.run.answerIsUnusable(0, reason)
        expect(fixture.actions(), [.cancel(0)])
        fixture.run.answerIsUnusable(0, .internal)
        expect(fixture.run.failure(of: 0), PartFailure(reason))
        fixture.run.answerBegan(1, status: 200)
        fixture.run.answerIsUnusable(1, reason)
        expect(fixture.outcome, .failed(status: 502, part: 1, PartFailure(reason)))
    }

    @Test(arguments: [204, 205] as [UInt16])
    func anAnswerWithoutContentIsNoValue(_ status: UInt16) throws {
        var fixture = try RunFixture(definition(part("a", "/a")))
        fixture.answer(0, "", status: status)
        expect(fixture.outcome, .failed(status: 502, part: 0, PartFailure(.invalidJSON)))
    }
}
