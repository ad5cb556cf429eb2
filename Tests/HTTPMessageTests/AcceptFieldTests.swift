import ByteBuffers
import Testing

@testable import HTTPMessage

/// Which clients take JSON (RFC 9110 §12.5.1).
@Suite struct AcceptFieldTests {
    static let admitting: [[String]] = [
        [], [""], [" , ,"], ["application/json"], ["Application/JSON"], ["*/*"], ["application/*"],
        ["text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8"],
        ["text/html", "application/json;q=0.001"], ["application/json;q=1.000"], ["application/json; q=0.5"],
        ["application/json;charset=utf-8"], ["application/json;version=2"], ["application/json;profile=\"a,b;c\\\"\""],
        // What says more about JSON decides, wherever it stands.
        ["*/*;q=0, application/json"], ["application/json", "*/*;q=0"], ["application/*;q=0, application/json;q=0.1"],
        ["*/*;q=0", "application/*"], ["application/json;q=0, application/json"],
        ["application/json;version=1;q=0, */*"], ["application/json;version=1;q=0, application/json"],
        ["application/json;Q=0.1"], ["application/json;q=\"0.1\""], ["application/json;;q=1"], ["application/json;"],
        ["application/json;q=1;ext"], ["application/json ; q=1 ,text/html"],
        // Malformed: as if it were not there.
        ["text/html, image/gif, *; q=.2"], ["text"], ["text/"], ["/html"], ["*/json"], ["text/html;q=2"],
        ["text/html;q=0.1234"], ["text/html;q=1.001"], ["text/html;q=-0"], ["text/html;q="], ["text/html;q=,"],
        ["text/html;level"], ["text/html;a=\"b"], ["text/html text/plain"], ["text/html", "x"], ["text/html;q=0.x"],
        ["text / html"], ["text/html;q=01"],
    ]

    @Test(arguments: admitting)
    func admits(_ fields: [String]) {
        #expect(Self.read(fields))
    }

    static let refusing: [[String]] = [
        ["text/html"], ["text/*"], ["text/html, application/xml"], ["application/json;q=0"],
        ["application/json;q=0.000"],
        ["*/*;q=0"], ["application/*;q=0"], ["*/*, application/json;q=0"], ["application/json;q=0", "*/*"],
        ["application/*, application/json;q=0.0"], ["application/*;q=0, */*"], ["*/*", "application/*;q=0"],
        ["application/problem+json"], ["application/jsonx"], ["application/jso"], ["image/png,,"], ["text/html;"],
        ["application/json;version=1;q=0"], ["text/html;a=\"application/json\""], ["text/html;a=\", */*;q=1\""],
        ["text/html;q=0.5;ext=1"], ["xapplication/json"],
    ]

    @Test(arguments: refusing)
    func refuses(_ fields: [String]) {
        #expect(!Self.read(fields))
    }

    private static func read(_ fields: [String]) -> Bool {
        var accept = AcceptField()
        for field in fields { accept.read(Array(field.utf8).span) }
        return accept.admitsJSON
    }

    /// Whatever is sent, reading it ends, and nothing is read that is not there.
    @Test func everyPieceOfEveryFieldIsRead() {
        for fields in Self.admitting + Self.refusing {
            for field in fields {
                let bytes = Array(field.utf8)
                for end in 0...bytes.count {
                    var accept = AcceptField()
                    accept.read(bytes.span.extracting(0..<end))
                    _ = accept.admitsJSON
                }
            }
        }
    }
}
