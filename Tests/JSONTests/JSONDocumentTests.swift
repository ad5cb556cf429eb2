import ByteBuffers
import Testing

@testable import JSON

@Suite struct JSONDocumentTests {
    /// `#expect` cannot look into an expression that reads a value without copies.
    private func expect<T: Equatable>(_ found: T, _ expected: T, _ location: SourceLocation = #_sourceLocation) {
        #expect(found == expected, sourceLocation: location)
    }

    private func value(_ text: String) throws -> JSONValue {
        try JSONDocument(parsing: Array(text.utf8)).value()
    }

    private func failure(_ text: String, maximumDepth: Int = 128) -> JSONSyntaxError? {
        do throws(JSONSyntaxError) {
            _ = try JSONDocument(parsing: Array(text.utf8), maximumDepth: maximumDepth)
            return nil
        } catch {
            return error
        }
    }

    /// Positions far down a text are those that counting from its top gives, in whatever order they are asked for.
    @Test func positionsFarDown() throws {
        let members = (0..<2000).map { "\($0 % 7 == 0 ? "\n" : " ")\"é\($0)\": \"😀\($0)\"" }.joined(separator: ",")
        let text = Array("{\(members)\n}".utf8)
        let document = try JSONDocument(parsing: text)
        for number in [1999, 3, 1000, 0, 1998, 777, 1999] {
            let pointer = JSONPointer(["é\(number)"])
            let value = document.position(of: pointer)
            let name = document.positionOfName(of: pointer)
            expect(value, SourcePosition(offset: value.offset, in: text.span))
            expect(name, SourcePosition(offset: name.offset, in: text.span))
            #expect(text[value.offset...].starts(with: "\"😀\(number)\"".utf8))
            #expect(text[name.offset...].starts(with: "\"é\(number)\"".utf8))
        }
    }

    @Test func valuesOfEveryKind() throws {
        let value = try value(#"{"z":[null,true,false,-1,1.5,"é\ud83d\ude00"],"a":{},"m":[]}"#)
        #expect(
            value
                == .object([
                    JSONMember(
                        name: "z",
                        value: .array([.null, .bool(true), .bool(false), .integer(-1), .real(1.5), .string("é😀")])),
                    JSONMember(name: "a", value: .object([])), JSONMember(name: "m", value: .array([])),
                ]))
        #expect(value["z"]?.kindName == "an array")
        #expect(value.value(at: JSONPointer(["z", "3"])) == .integer(-1))
        #expect(value.value(at: JSONPointer(["z", "03"])) == nil)
        #expect(value.value(at: JSONPointer(["z", "6"])) == nil)
        #expect(value.value(at: JSONPointer(["q"])) == nil)
    }

    /// The scanner knows the byte at fault better than jansson does; jansson's own words follow in brackets.
    @Test(arguments: [
        ("", "1:1", "the text ends too early"), ("{\n  \"a\": 1,\n}", "3:1", "unexpected character"),
        ("{\"ä\": tru}", "1:10", "unexpected character"), ("[1] x", "1:5", "text after the end of the value"),
        ("\u{FEFF}{}", "1:1", "byte order mark"), ("[\"\t\"]", "1:3", "control character"),
        ("[01]", "1:3", "malformed number"), ("[\"\\ud800\"]", "1:3", "surrogate"),
        ("[\n 1,\n 123456789012345678901]", "3:2", "too big"), ("[1e999]", "1:2", "cannot be used"),
        (#"{"a":"\u0000"}"#, "1:6", "cannot be used"), ("{}\u{0}garbage", "1:3", "NUL character"),
    ])
    func syntaxErrors(_ text: String, _ place: String, _ words: String) throws {
        let error = try #require(failure(text))
        #expect(error.position.description == place)
        #expect(error.message.contains(words), "\(error.message)")
    }

    @Test func depthIsLimitedBeforeTheParserRecurses() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(failure(deep)?.position.offset == 128)
        #expect(failure(deep)?.message == "arrays and objects nest more than 128 deep")
        let allowed = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(failure(allowed) == nil)
        #expect(failure("[[{}]]", maximumDepth: 2)?.position.offset == 2)
        #expect(failure(#"["[[[[\"[[["]"#, maximumDepth: 1) == nil)
    }

    @Test func positionsOfPointers() throws {
        let text = "{\n  \"a\": [10, {\"b~/\": true}],\n  \"ü\\u0041\": \"x\"\n}"
        let document = try JSONDocument(parsing: Array(text.utf8))
        expect(document.position(of: JSONPointer()).description, "1:1")
        expect(document.position(of: JSONPointer(["a"])).description, "2:8")
        expect(document.positionOfName(of: JSONPointer(["a"])).description, "2:3")
        expect(document.position(of: JSONPointer(["a", "0"])).description, "2:9")
        expect(document.position(of: JSONPointer(["a", "1", "b~/"])).description, "2:21")
        expect(document.positionOfName(of: JSONPointer(["a", "1", "b~/"])).description, "2:14")
        expect(document.position(of: JSONPointer(["üA"])).description, "3:14")
        expect(document.position(of: JSONPointer(["a", "1", "gone", "x"])).description, "2:13")
        expect(document.positionOfName(of: JSONPointer(["a", "7"])).description, "2:8")
    }

    @Test func everyDuplicateIsListed() throws {
        let text = #"{"a":{"x":1,"y":[{"k":1,"\u006b":2,"k":3}],"x":2},"b":1,"a":3}"#
        let document = try JSONDocument(parsing: Array(text.utf8))
        let duplicates = document.duplicates()
        #expect(duplicates.map(\.pointer.description) == ["/a/y/0/k", "/a/y/0/k", "/a/x", "/a"])
        #expect(duplicates.map(\.position.column) == [25, 36, 44, 57])
        #expect(duplicates.map(\.firstPosition.column) == [19, 19, 7, 2])
        // The value that jansson keeps is the last one.
        let value = document.value()
        #expect(value["a"] == .integer(3))
        expect(document.position(of: JSONPointer(["a"])).column, 61)
    }

    /// The way to a name goes past whatever stands before it: arrays in arrays, empty ones, objects, and brackets in texts.
    @Test(arguments: [
        (#"[{"a":1},[{"k":1,"k":2}]]"#, ["/1/0/k"]), (#"[[],[[],{"k":1,"k":2}]]"#, ["/1/1/k"]),
        (#"{"l":["]","[",{"x":["}"],"k":[],"k":[{"m":0,"m":1}]}],"z":0}"#, ["/l/2/k", "/l/2/k/0/m"]),
        (#"{"a":[{"a":1,"a":[1]},{"a":1,"a":[1]}],"a":[]}"#, ["/a/0/a", "/a/1/a", "/a"]),
        (#"[[[{"k":{"k":1,"k":2},"k":3}]]]"#, ["/0/0/0/k/k", "/0/0/0/k"]),
        (#"[ 1 , {"b" : [ ] , "b" : 1} , {"c":0, "c":0} ]"#, ["/1/b", "/2/c"]),
        (#"{"a":[1,2,{"b":[{"é":1},{"é":1,"é":2}]}]}"#, ["/a/2/b/1/é"]),
    ])
    func duplicatesBehindArraysAreFound(_ text: String, _ pointers: [String]) throws {
        let document = try JSONDocument(parsing: Array(text.utf8))
        #expect(document.duplicates().map(\.pointer.description) == pointers)
    }

    @Test(arguments: [
        ("", []), ("/a/b~1c/0", ["a", "b/c", "0"]), ("/", [""]), ("/~01", ["~1"]), ("//x", ["", "x"]), ("/ü", ["ü"]),
    ])
    func pointers(_ text: String, _ tokens: [String]) throws {
        let pointer = try #require(JSONPointer(parsing: text))
        #expect(pointer.tokens == tokens)
        #expect(pointer.description == text)
    }

    @Test(arguments: ["a", "a/b", "/~", "/~2", "/a~"])
    func malformedPointers(_ text: String) {
        #expect(JSONPointer(parsing: text) == nil)
    }

    @Test(arguments: [
        #"{"a":[1,-2.5,"x\n\"",null,true],"b":{"c":[]},"c":{}}"#, "1e+20", "0.1", "5e-324", "-9223372036854775808",
        #""\u007f""#, "1.7976931348623157e+308",
    ])
    func writingIsTheInverseOfReading(_ text: String) throws {
        var buffer = ByteBuffer()
        buffer.appendJSON(try value(text))
        #expect(buffer.text == text)
        #expect(try value(buffer.text) == value(text))
    }

    @Test func whatIsNotFiniteIsNull() {
        var buffer = ByteBuffer()
        buffer.appendJSON(.array([.real(.nan), .real(.infinity), .real(-0.0)]))
        #expect(buffer.text == "[null,null,-0.0]")
    }
}
