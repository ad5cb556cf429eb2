import ByteBuffers
import Testing

@testable import GatewayCore

/// How the answers to health checks are read.
@Suite struct HealthAnswerTests {
    private static func finds(_ text: String, in body: String, piece: Int) -> Bool {
        var search = TextSearch(Array(text.utf8))
        var rest = Array(body.utf8)[...]
        while !rest.isEmpty {
            let next = Array(rest.prefix(piece))
            search.take(next.span)
            rest = rest.dropFirst(piece)
        }
        return search.isFound
    }

    @Test(arguments: [1, 2, 3, 7, 1_000]) func aTextIsFoundHoweverItsPiecesCome(piece: Int) {
        let texts = ["a", "ab", "aab", "abab", "aabaaab", "\"db\": \"ok\"", "ü"]
        let bodies = [
            "", "a", "b", "aaab", "aabaabaaab", "ababab", "{\"db\": \"ok\"}", "{\"db\": \"o\"}", "über", "abaabab",
        ]
        for text in texts {
            for body in bodies {
                #expect(
                    Self.finds(text, in: body, piece: piece) == body.contains(text), "\(text) in \(body) by \(piece)")
            }
        }
    }

    /// Against the plain way, with an alphabet of two, where texts overlap themselves.
    @Test func aTextIsFoundWhereItStands() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let text = String((0..<Int.random(in: 1...6)).map { _ in Bool.random(using: &generator) ? "a" : "b" })
            let body = String((0..<Int.random(in: 0...20)).map { _ in Bool.random(using: &generator) ? "a" : "b" })
            let piece = Int.random(in: 1...5)
            #expect(Self.finds(text, in: body, piece: piece) == body.contains(text), "\(text) in \(body)")
        }
    }

    @Test func noTextIsFoundAtOnceAndASearchMayBeginAnew() {
        #expect(TextSearch([]).isFound)
        var search = TextSearch(Array("ab".utf8))
        search.take(Array("ab".utf8).span)
        #expect(search.isFound)
        search.reset()
        #expect(!search.isFound)
        search.take(Array("b".utf8).span)
        #expect(!search.isFound)
    }

    @Test func requestsOfGRPCAreFramed() {
        func request(_ service: String) -> [UInt8] {
            var buffer = ByteBuffer()
            GRPCHealth.appendRequest(for: Array(service.utf8), to: &buffer)
            return buffer.withUnsafeBytes { Array($0) }
        }
        #expect(request("") == [0, 0, 0, 0, 0])
        #expect(request("shop") == [0, 0, 0, 0, 6, 0x0A, 4] + Array("shop".utf8))
        let long = String(repeating: "x", count: 255)
        #expect(request(long) == [0, 0, 0, 1, 2, 0x0A, 0xFF, 0x01] + Array(long.utf8))
    }

    @Test(
        arguments: [
            ([0, 0, 0, 0, 2, 8, 1], 1), ([0, 0, 0, 0, 2, 8, 2], 2), ([0, 0, 0, 0, 0], 0),
            // Fields that a later version may have.
            ([0, 0, 0, 0, 6, 0x12, 2, 7, 7, 8, 1], 1),
            // Compressed, cut off, too long, empty.
            ([1, 0, 0, 0, 2, 8, 1], nil), ([0, 0, 0, 0, 3, 8, 1], nil), ([0, 0, 0, 0, 1, 8, 1], nil), ([], nil),
            ([0, 0, 0], nil), ([0, 255, 255, 255, 255, 8, 1], nil),
        ] as [([UInt8], UInt64?)])
    func answersOfGRPCAreRead(answer: [UInt8], status: UInt64?) {
        #expect(GRPCHealth.status(in: answer.span) == status)
    }

    @Test(
        arguments: [
            ("grpc-status: 0\r\n", 0), ("GRPC-Status:5\r\ngrpc-message: no\r\n", 5),
            ("x: 1\r\ngrpc-status: 14\r\n", 14),
            ("", nil), ("x: 0\r\n", nil), ("grpc-status: no\r\n", nil), ("grpc-status: -1\r\n", nil),
        ] as [(String, UInt64?)])
    func codesOfGRPCAreRead(lines: String, code: UInt64?) { #expect(GRPCHealth.code(inLines: lines) == code) }
}
