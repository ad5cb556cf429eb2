import ByteBuffers
import Testing

@testable import HTTPMessage

/// How much time upstreams are told that they have.
@Suite struct DeadlineFieldsTests {
    private static func text(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return buffer.text
    }

    private func withHead<R>(_ fields: [String], _ body: (borrowing RequestHead) -> R) throws -> R {
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        let text = "GET / HTTP/1.1\r\nHost: a.example\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        try #require(parser.consume(Array(text.utf8).span, into: &head) == .complete(consumed: text.utf8.count))
        return body(head)
    }

    @Test func ourOwnField() {
        #expect(Self.text { DeadlineFields.append(milliseconds: 1500, into: &$0) } == "Banyan-Deadline-Ms: 1500\r\n")
        #expect(Self.text { DeadlineFields.append(milliseconds: 0, into: &$0) } == "Banyan-Deadline-Ms: 1\r\n")
    }

    /// At most eight digits, and never more than was said.
    @Test(arguments: [
        (0, "1m"), (1, "1m"), (99_999_999, "99999999m"), (100_000_000, "100000S"), (100_000_999, "100000S"),
        (99_999_999_999, "99999999S"), (100_000_000_000, "1666666M"), (5_999_999_999_999, "99999999M"),
        (6_000_000_000_000, "1666666H"), (UInt64.max, "99999999H"),
    ])
    func grpcField(_ milliseconds: UInt64, _ expected: String) {
        let line = Self.text { DeadlineFields.appendGRPC(milliseconds: milliseconds, into: &$0) }
        #expect(line == "grpc-timeout: \(expected)\r\n")
        let told = DeadlineFields.grpcNanoseconds(Array(expected.utf8).span)
        #expect(milliseconds == 0 || (told ?? .max) / 1_000_000 <= milliseconds)
    }

    @Test(
        arguments: [
            ("1H", 3_600_000_000_000), ("2M", 120_000_000_000), ("3S", 3_000_000_000), ("4m", 4_000_000), ("5u", 5000),
            ("6n", 6), ("0m", 0), ("00000007n", 7), ("99999999n", 99_999_999), ("99999999H", .max), ("", nil),
            ("m", nil),
            ("1", nil), ("123456789m", nil), ("1h", nil), ("1 m", nil), ("-1m", nil), ("+1m", nil), ("1mm", nil),
            ("1.5S", nil), ("1ms", nil),
        ] as [(String, UInt64?)])
    func grpcGrammar(_ text: String, _ expected: UInt64?) {
        #expect(DeadlineFields.grpcNanoseconds(Array(text.utf8).span) == expected)
    }

    /// Ours is said only where it is the shorter one.
    @Test(arguments: [
        ([], true), (["grpc-timeout: 2S"], true), (["Grpc-Timeout: 1001m"], true), (["grpc-timeout: 1S"], false),
        (["grpc-timeout: 1000000u"], false), (["grpc-timeout: 5m"], false), (["grpc-timeout: 99999999H"], true),
        (["grpc-timeout: 2S", "grpc-timeout: 1m"], false), (["grpc-timeout: 2S", "grpc-timeout: 3S"], true),
        (["grpc-timeout: soon"], false), (["grpc-timeout:"], false), (["x-grpc-timeout: 1m"], true),
    ])
    func tightening(_ fields: [String], _ expected: Bool) throws {
        #expect(try withHead(fields) { $0.grpcOutlasts(milliseconds: 1000) } == expected)
        #expect(try withHead(fields) { $0.grpcOutlasts(milliseconds: .max) } == false)
    }

    @Test(arguments: [
        ([], false), (["content-type: application/grpc"], true), (["content-type: application/grpc+proto"], true),
        (["Content-Type: Application/gRPC;a=b"], true), (["content-type: application/grpc ;a=b"], true),
        (["content-type: application/grpc-web"], false), (["content-type: application/grp"], false),
        (["content-type: application/json"], false), (["content-type:"], false),
    ])
    func calls(_ fields: [String], _ expected: Bool) throws {
        #expect(try withHead(fields) { $0.isGRPC } == expected)
    }

    @Test(
        arguments: [
            ([], nil), (["Banyan-Deadline-Ms: 70"], 70), (["banyan-deadline-ms: 70", "BANYAN-DEADLINE-MS: 60"], 60),
            (["Banyan-Deadline-Ms: 0"], 0), (["Banyan-Deadline-Ms: -1"], nil), (["Banyan-Deadline-Ms: 1.5"], nil),
            (["Banyan-Deadline-Ms:"], nil), (["Banyan-Deadline-Ms: 1234567890123456789"], nil),
            (["Banyan_Deadline_Ms: 5"], nil), (["Banyan-Deadline: 5", "Banyan-Deadline-Ms: 8"], 8),
        ] as [([String], UInt64?)])
    func told(_ fields: [String], _ expected: UInt64?) throws {
        #expect(try withHead(fields) { $0.toldDeadline } == expected)
    }
}
