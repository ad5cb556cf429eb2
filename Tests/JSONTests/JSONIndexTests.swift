import ByteBuffers
import Testing

@testable import JSON

@Suite struct JSONIndexTests {
    /// The scanned bytes of what a look-up found.
    private func scanned(
        _ text: [UInt8], limits: JSONIndex.Limits = JSONIndex.Limits(),
        _ find: (borrowing JSONIndex, Span<UInt8>, JSONNodeID) -> JSONNodeID?
    ) throws -> String? {
        var index = JSONIndex(seed: 1)
        try index.scan(text.span, limits: limits)
        guard let root = index.root, let found = find(index, text.span, root) else { return nil }
        return text.span.slice(index[found].range).text
    }

    private let example = Array(#" {"a" : [1, "x\ty", {}], "\u0062": 12345678901234567890 , "c":null}"#.utf8)

    @Test func nodesAreRangesOfTheText() throws {
        var index = JSONIndex(seed: 1)
        try index.scan(example.span)
        let top = index.root
        let root = try #require(top)
        let range = index[root].range
        #expect(range == ByteRange(start: 1, count: example.count - 1))
        var members: [String] = []
        var child = index.firstChild(of: root)
        while let current = child {
            let node = index[current]
            members.append("\(example.span.slice(node.name).text) = \(example.span.slice(node.range).text)")
            child = index.next(after: current)
        }
        #expect(members == [#""a" = [1, "x\ty", {}]"#, #""\u0062" = 12345678901234567890"#, #""c" = null"#])
    }

    @Test(arguments: [#"[{"a":1},2]"#, #"[{"\u0061":[]},[3],"x"]"#, #"[0,{"b":{"a":1}},400]"#])
    func elementsHaveNoName(_ text: String) throws {
        let text = Array(text.utf8)
        var index = JSONIndex(seed: 1)
        try index.scan(text.span)
        var element = index.root.flatMap { index.firstChild(of: $0) }
        while let current = element {
            let node = index[current]
            #expect(node.name.isEmpty)
            #expect(!node.nameHasEscapes)
            element = index.next(after: current)
        }
    }

    @Test(arguments: [(0, "1"), (1, #""x\ty""#), (2, "{}"), (3, nil), (-1, nil)])
    func elements(_ position: Int, _ expected: String?) throws {
        let found = try scanned(example) { index, text, root in
            index.firstChild(of: root).flatMap { index.element(position, of: $0) }
        }
        #expect(found == expected)
        #expect(try scanned(example) { index, _, root in index.element(position, of: root) } == nil)
    }

    @Test(arguments: [
        ("b", "12345678901234567890"), ("c", "null"), ("", nil), ("B", nil), ("bb", nil), ("\\u0062", nil),
    ])
    func members(_ name: String, _ expected: String?) throws {
        let bytes = Array(name.utf8)
        #expect(try scanned(example) { index, text, root in index.member(bytes.span, of: root, in: text) } == expected)
        let inArray = try scanned(example) { index, text, root in
            index.firstChild(of: root).flatMap { index.member(bytes.span, of: $0, in: text) }
        }
        #expect(inArray == nil)
    }

    @Test(arguments: [
        ("", #"{"a":[{"b/c":[10,20]}],"":{"":7},"0":"zero"}"#), ("/a/0/b~1c/1", "20"), ("//", "7"), ("/0", #""zero""#),
        ("/a/1", nil), ("/a/00", nil), ("/a/-", nil), ("/a/0/b~1c/1/x", nil), ("/A", nil),
    ])
    func compiledPointers(_ pointer: String, _ expected: String?) throws {
        let text = Array(#"{"a":[{"b/c":[10,20]}],"":{"":7},"0":"zero"}"#.utf8)
        let compiled = CompiledPointer(try #require(JSONPointer(parsing: pointer)))
        #expect(try scanned(text) { index, text, _ in index.find(compiled, in: text) } == expected)
    }

    @Test func lookingUpInWhatWasNotKeptFindsNothing() throws {
        let text = Array(#"{"a":{"b":1}}"#.utf8)
        let limits = JSONIndex.Limits(indexedDepth: 1)
        let outer = CompiledPointer(JSONPointer(["a"]))
        let inner = CompiledPointer(JSONPointer(["a", "b"]))
        #expect(try scanned(text, limits: limits) { index, text, _ in index.find(outer, in: text) } == #"{"b":1}"#)
        #expect(try scanned(text, limits: limits) { index, text, _ in index.find(inner, in: text) } == nil)
        var index = JSONIndex(seed: 1)
        try index.scan(text.span)
        index.removeAll()
        let found = index.find(CompiledPointer(JSONPointer()), in: text.span)
        #expect(found == nil)
    }

    @Test(arguments: [
        (#""""#, ""), (#""plain""#, "plain"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (#""a\u00e9b""#, "aéb"), (#""\ud83d\ude00!""#, "😀!"), (#""\u0000x""#, "\u{0}x"), (#""é\n""#, "é\n"),
        (#""\u20AC\uffff\u07ff\u0800""#, "€\u{FFFF}\u{7FF}\u{800}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
    ])
    func stringsAreDecoded(_ quoted: String, _ expected: String) {
        let bytes = Array(quoted.utf8)
        var buffer = ByteBuffer()
        buffer.appendDecodedJSONString(bytes.span)
        #expect(Array(buffer.text.utf8) == Array(expected.utf8))
        func equals(_ text: [UInt8]) -> Bool { bytes.span.jsonStringEquals(text.span) }
        #expect(equals(Array(expected.utf8)))
        #expect(!equals(Array((expected + "x").utf8)))
        #expect(expected.isEmpty || !equals(Array(expected.utf8.dropLast())))
    }

    @Test(arguments: ["", "\"", "\"\\", #""\"#, #""\u12"#, #""\ud800\"#, #""\ud800\u00"#, #""\ud800\u0041""#])
    func decodingWhatIsNoStringDoesNotTrap(_ text: String) {
        var buffer = ByteBuffer()
        let bytes = Array(text.utf8)
        buffer.appendDecodedJSONString(bytes.span)
        let length = buffer.count
        #expect(length <= 3 * bytes.count)
        let isEqual = bytes.span.jsonStringEquals(Array("no match".utf8).span)
        #expect(!isEqual)
    }

    /// Texts made at random, then damaged at random: the scanner accepts what jansson accepts, and reads the same.
    @Test(arguments: 0..<8)
    func agreesWithJanssonOnGeneratedTexts(_ round: UInt64) throws {
        var random = Numbers(state: round &* 0x9E37_79B9 &+ 1)
        var index = JSONIndex(seed: round)
        var valid = 0
        for _ in 0..<1500 {
            var text = ByteBuffer()
            random.appendValue(to: &text, depth: 0)
            var bytes = text.withUnsafeBytes { Array($0) }
            for _ in 0..<random.below(3) where !bytes.isEmpty { random.damage(&bytes) }
            var expected: JSONValue?
            var isOutOfRange = false
            do throws(JSONSyntaxError) {
                expected = try JSONDocument(parsing: bytes).value()
            } catch {
                isOutOfRange = error.message.contains("cannot be used")
            }
            let isAccepted = (try? index.scan(bytes.span, duplicateNames: .recorded)) != nil
            if isOutOfRange { continue }
            #expect(isAccepted == (expected != nil), "\(String(decoding: bytes, as: UTF8.self))")
            guard isAccepted, let expected, let root = index.root else { continue }
            valid += 1
            let value = index.value(of: root, in: bytes)
            #expect(value == expected, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(valid > 300)
    }
}

/// A small generator of JSON texts and of damage to them.
private struct Numbers {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 33) % bound
    }

    mutating func appendSpace(to text: inout ByteBuffer) {
        if below(4) == 0 { text.append([0x20, 0x09, 0x0A, 0x0D][below(4)]) }
    }

    mutating func appendString(to text: inout ByteBuffer) {
        let pieces = [
            "a", "bc", "12345678", "é", "€", "😀", "\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\ud83d\\ude00", "\u{7f}",
            " ",
            "\\u0041",
        ]
        text.append(UInt8(ascii: "\""))
        for _ in 0..<below(6) { text.append(pieces[below(pieces.count)]) }
        text.append(UInt8(ascii: "\""))
    }

    mutating func appendValue(to text: inout ByteBuffer, depth: Int) {
        appendSpace(to: &text)
        switch below(depth > 4 ? 6 : 9) {
        case 0: text.append("null")
        case 1: text.append("true")
        case 2: text.append("false")
        case 3: text.append(["0", "-1", "12", "1.5", "-0.25e3", "1E2", "9007199254740993", "0.1"][below(8)])
        case 4, 5: appendString(to: &text)
        case 6, 7:
            text.append(UInt8(ascii: "{"))
            let count = below(5)
            for member in 0..<count {
                if member > 0 { text.append(UInt8(ascii: ",")) }
                appendSpace(to: &text)
                appendString(to: &text)
                appendSpace(to: &text)
                text.append(UInt8(ascii: ":"))
                appendValue(to: &text, depth: depth + 1)
            }
            text.append(UInt8(ascii: "}"))
        default:
            text.append(UInt8(ascii: "["))
            let count = below(5)
            for element in 0..<count {
                if element > 0 { text.append(UInt8(ascii: ",")) }
                appendValue(to: &text, depth: depth + 1)
            }
            text.append(UInt8(ascii: "]"))
        }
        appendSpace(to: &text)
    }

    mutating func damage(_ bytes: inout [UInt8]) {
        let place = below(bytes.count)
        let alphabet = Array("{}[]\",:\\ue0189-+.tfn \n\u{1}".utf8) + [0x80, 0xC3, 0xED, 0xF4, 0xFF]
        switch below(4) {
        case 0: bytes.remove(at: place)
        case 1: bytes[place] = alphabet[below(alphabet.count)]
        case 2: bytes.insert(alphabet[below(alphabet.count)], at: place)
        default: bytes.removeLast(bytes.count - place)
        }
    }
}

extension JSONIndex {
    /// The value of a node, converted the way jansson converts it.
    fileprivate borrowing func value(of id: JSONNodeID, in text: [UInt8]) -> JSONValue {
        let node = self[id]
        let slice = text.span.slice(node.range)
        switch node.kind {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .number:
            let digits = slice.text
            let isReal = digits.utf8.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
            return isReal ? .real(Double(digits) ?? .nan) : .integer(Int64(digits) ?? .min)
        case .string: return .string(decoded(slice))
        case .array:
            var elements: [JSONValue] = []
            var child = firstChild(of: id)
            while let current = child {
                elements.append(value(of: current, in: text))
                child = next(after: current)
            }
            return .array(elements)
        case .object:
            // Of several members of one name jansson keeps the place of the first and the value of the last.
            var members: [JSONMember] = []
            var child = firstChild(of: id)
            while let current = child {
                let name = decoded(text.span.slice(self[current].name))
                let member = JSONMember(name: name, value: value(of: current, in: text))
                if let known = members.firstIndex(where: { $0.name == name }) {
                    members[known] = member
                } else {
                    members.append(member)
                }
                child = next(after: current)
            }
            return .object(members)
        }
    }
}

private func decoded(_ quoted: Span<UInt8>) -> String {
    var buffer = ByteBuffer()
    buffer.appendDecodedJSONString(quoted)
    return buffer.text
}
