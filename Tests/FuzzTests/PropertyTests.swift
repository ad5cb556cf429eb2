import HTTPMessage
import Testing

@testable import FuzzTargets

/// The properties are worth something only if they can fail.
@Suite struct PropertyTests {
    @Test(arguments: [
        "a", "/a/../b", "/a/.", "/%2e", "/%2e%2e/a", "/%61", "/%7E", "/%2f", "/a%2F..", "/..;x", "/%zz", "/%", "/%00",
        "/a?b",
        "/a#b", "/a\\b", "/a b", "/\u{e9}", "/a%5C..%5Cb", "",
    ])
    func noSuchPathIsNormal(_ path: String) {
        #expect(throws: BrokenProperty.self) { try PathFuzz.checkNormal(Array(path.utf8)) }
    }

    @Test(arguments: ["/", "//", "/a/b", "/a%2Fb", "/%E4", "/...", "/a;x=..", "/.a"])
    func normalPathsAreNormal(_ path: String) {
        #expect(throws: Never.self) { try PathFuzz.checkNormal(Array(path.utf8)) }
    }

    @Test(arguments: [
        ("/a/b/../c", "/a/c"), ("/a/..", "/"), ("/a/.", "/a/"), ("/%7e%2f", "/~%2F"), ("/..", nil), ("/%4", nil),
        ("/a\\", nil), ("/%00", nil), ("//a", "//a"),
    ])
    func thePlainReadingOfPaths(_ path: String, _ normal: String?) {
        #expect(PlainPath.normal(Array(path.utf8)) == normal.map { Array($0.utf8) })
    }

    @Test(arguments: [
        (["Content-Length: 5"], BodyFraming.none), (["Content-Length: 5"], .length(6)), (["X: y"], .length(5)),
        (["Content-Length: 5", "Content-Length: 5"], .length(5)), (["X: y"], .chunked), (["X: y"], .untilClose),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], .chunked), (["Content_Length: 5"], .none),
        (["Transfer-Encoding: xchunked"], .chunked), (["transfer_encoding: chunked"], .none),
    ])
    func theFramingOfTheFieldsIsHeldAgainstTheHead(_ fields: [String], _ framing: BodyFraming) throws {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        var head = try HTTP1RequestFuzz.readOne(Array(text.utf8), "a head")
        head.framing = framing
        head.fields = fields.map { line in
            let parts = line.split(separator: ": ").map { Array($0.utf8) }
            return ReadField(name: parts[0], value: parts[1])
        }
        #expect(throws: BrokenProperty.self) { try HTTP1RequestFuzz.checkFraming(head) }
    }

    @Test func aSplitThatReadsOtherwiseIsSeen() {
        #expect(throws: BrokenProperty.self) { try requireSame([1], [2], "differs") }
        #expect(throws: Never.self) { try requireSame([1], [1], "differs") }
    }

    @Test(arguments: 0..<64)
    func cutsLieWithinTheInput(_ count: Int) {
        let input = [UInt8](repeating: 7, count: count)
        for cuts in Splits.of(input) {
            #expect(cuts == cuts.sorted() && cuts.allSatisfy { $0 >= 0 && $0 <= count })
        }
    }
}
