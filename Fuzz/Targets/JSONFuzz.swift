import ByteBuffers
import JSON

/// The strict scanner held against jansson: one reads what strangers send, the other what the operator wrote.
enum JSONFuzz {
    /// Shallow, so that the fuzzer comes upon it; also what bounds the recursion here.
    static let depth = 24

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        var index = JSONIndex(seed: 1)
        let limits = JSONIndex.Limits(depth: depth)
        let refusal = refusing { () throws(JSONScanError) in
            try index.scan(input.span, limits: limits, duplicateNames: .recorded)
        }
        if let refusal {
            try require(refusal.offset >= 0 && refusal.offset <= input.count, "an error lies outside the text")
            try require(index.root == nil && index.count == 0, "a refused text leaves nodes behind")
        } else {
            try checkNodes(&index, input)
        }
        try checkBounds(input, refusal)
        switch Parsed.reading(input) {
        case .success(let parsed):
            if let refusal { throw BrokenProperty("jansson alone accepts the text: \(refusal)") }
            guard let root = index.root else { throw BrokenProperty("there is no root") }
            try checkSame(parsed.value, root, &index, input)
            try checkDuplicates(parsed, input)
            try checkWriting(parsed.value)
        case .failure(let error):
            let place = error.position.offset
            try require(place >= 0 && place <= input.count, "a position lies outside the text")
            // What jansson cannot hold: numbers beyond 64 bits or a double, U+0000 in a string.
            let isBeyondJansson = error.message.hasPrefix("JSON that cannot be used")
            try require(refusal != nil || isBeyondJansson, "jansson alone refuses the text: \(error)")
        }
    }

    /// What jansson made of a text.
    private struct Parsed {
        var value: JSONValue
        var duplicates: [JSONDocument.Duplicate]

        static func reading(_ input: [UInt8]) -> Result<Parsed, JSONSyntaxError> {
            do throws(JSONSyntaxError) {
                let document = try JSONDocument(parsing: input, maximumDepth: JSONFuzz.depth)
                return .success(Parsed(value: document.value(), duplicates: document.duplicates()))
            } catch {
                return .failure(error)
            }
        }
    }

    /// Ranges lie within the text and within each other, in order; strings are what they stand for.
    private static func checkNodes(_ index: inout JSONIndex, _ text: [UInt8]) throws(BrokenProperty) {
        for number in 0..<index.count {
            let id = JSONNodeID(rawValue: UInt32(number))
            let node = index[id]
            try require(node.range.count > 0 && node.range.end <= text.count, "a value lies outside the text")
            try require(node.name.end <= node.range.start, "a name lies behind its value")
            if node.kind == .string { try checkString(text, node.range, hasEscapes: node.hasEscapes) }
            if !node.name.isEmpty { try checkString(text, node.name, hasEscapes: node.nameHasEscapes) }
            var end = Int(node.range.start)
            var child = index.firstChild(of: id)
            while let current = child {
                let inner = index[current]
                let start = inner.name.isEmpty ? inner.range.start : inner.name.start
                try require(start > end || start == end + 1, "children overlap")
                try require(inner.range.end < node.range.end, "a child reaches out of its parent")
                try require(inner.name.isEmpty == (node.kind == .array), "a name stands in an array, or none elsewhere")
                end = inner.range.end
                child = index.next(after: current)
            }
        }
    }

    private static func checkString(
        _ text: [UInt8], _ range: ByteRange, hasEscapes: Bool
    ) throws(BrokenProperty) {
        let quoted = text.span.slice(range)
        let isQuoted = quoted.count >= 2 && quoted[0] == UInt8(ascii: "\"") && quoted[quoted.count - 1] == quoted[0]
        try require(isQuoted, "a string has no quotes")
        var decoded = ByteBuffer()
        decoded.appendDecodedJSONString(quoted)
        let plain = Array(copying: decoded)
        try require(plain.count <= quoted.count - 2, "a string is longer than what stands for it")
        try require(Array(decoded.text.utf8) == plain, "a string is not UTF-8")
        try require(quoted.jsonStringEquals(plain.span), "a string is not equal to itself")
        try require(!quoted.jsonStringEquals((plain + [0x78]).span), "a string is equal to a longer one")
        let holdsBackslash = quoted.firstIndex(of: UInt8(ascii: "\\")) != nil
        try require(holdsBackslash == hasEscapes, "escapes are noted wrongly")
    }

    /// Narrower bounds refuse more, and for their own reason; keeping fewer nodes changes nothing else.
    private static func checkBounds(_ input: [UInt8], _ refusal: JSONScanError?) throws(BrokenProperty) {
        var index = JSONIndex(seed: 2)
        func scan(_ limits: JSONIndex.Limits, _ names: JSONIndex.DuplicateNames = .recorded) -> JSONScanError? {
            refusing { () throws(JSONScanError) in
                try index.scan(input.span, limits: limits, duplicateNames: names)
            }
        }
        try requireSame(
            refusal, scan(JSONIndex.Limits(depth: depth, indexedDepth: 1)), "keeping fewer nodes changes the verdict")
        let shallow = scan(JSONIndex.Limits(depth: 3))
        try require(shallow == refusal || shallow?.reason == .tooDeep, "a bound of depth changes more than that")
        let few = scan(JSONIndex.Limits(depth: depth, nodes: 5))
        try require(few == refusal || few?.reason == .tooManyNodes, "a bound of nodes changes more than that")
        try require(few != nil || index.count <= 5, "more nodes are kept than allowed")
        let strict = scan(JSONIndex.Limits(depth: depth), .refused)
        try require(strict == refusal || strict?.reason == .duplicateName, "refusing names changes more than that")
    }

    /// Both readers of a text mean the same.
    private static func checkSame(
        _ value: JSONValue, _ id: JSONNodeID, _ index: inout JSONIndex, _ text: [UInt8]
    ) throws(BrokenProperty) {
        let node = index[id]
        let written = text.span.slice(node.range).text
        switch (value, node.kind) {
        case (.null, .null), (.bool(true), .true), (.bool(false), .false): return
        case (.integer(let number), .number):
            try require(Int64(written) == number, "\(written) is read as \(number)")
        case (.real(let number), .number):
            try require(Double(written) == number, "\(written) is read as \(number)")
        case (.string(let string), .string):
            try require(decoded(node.range, text) == Array(string.utf8), "\(written) is read as \(string)")
        case (.array(let elements), .array):
            var child = index.firstChild(of: id)
            for element in elements {
                guard let current = child else { throw BrokenProperty("jansson has more elements") }
                try checkSame(element, current, &index, text)
                child = index.next(after: current)
            }
            try require(child == nil, "jansson has fewer elements")
        case (.object(let members), .object):
            // Of several members of one name jansson keeps the last.
            var last: [[UInt8]: JSONNodeID] = [:]
            var child = index.firstChild(of: id)
            while let current = child {
                last[decoded(index[current].name, text)] = current
                child = index.next(after: current)
            }
            try require(last.count == members.count, "the number of members differs")
            for member in members {
                guard let current = last[Array(member.name.utf8)] else {
                    throw BrokenProperty("the member \(member.name) is missing")
                }
                try checkSame(member.value, current, &index, text)
            }
        default:
            throw BrokenProperty("\(written) is read as \(value.kindName)")
        }
    }

    private static func decoded(_ range: ByteRange, _ text: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.appendDecodedJSONString(text.span.slice(range))
        return Array(copying: buffer)
    }

    /// The strict scan refuses names that stand twice, exactly where the document lists such.
    private static func checkDuplicates(_ parsed: Parsed, _ input: [UInt8]) throws(BrokenProperty) {
        var index = JSONIndex(seed: 3)
        let strict = refusing { () throws(JSONScanError) in
            try index.scan(input.span, limits: JSONIndex.Limits(depth: depth))
        }
        try require((strict != nil) == !parsed.duplicates.isEmpty, "only one reader finds a name that stands twice")
        for duplicate in parsed.duplicates {
            let place = duplicate.position.offset
            try require(duplicate.firstPosition < duplicate.position && place < input.count, "a duplicate has no place")
            try require(input[place] == UInt8(ascii: "\""), "a duplicate is no name")
        }
    }

    /// A value that is written reads back as itself.
    private static func checkWriting(_ value: JSONValue) throws(BrokenProperty) {
        var out = ByteBuffer()
        out.appendJSON(value)
        let bytes = Array(copying: out)
        switch Parsed.reading(bytes) {
        case .success(let again): try requireSame(value, again.value, "a value that is written reads otherwise")
        case .failure(let error): throw BrokenProperty("what is written is no JSON: \(error): \(out.text)")
        }
    }
}
