/// A JSON value as the model of views sees it: numbers by their text, names and strings by their bytes.
indirect enum ModelValue: Equatable {
    case null
    case bool(Bool)
    case number(String)
    case string([UInt8])
    case array([ModelValue])
    case object([ModelMember])

    /// The text that templates make of it; nil for values that have none.
    var text: [UInt8]? {
        switch self {
        case .string(let bytes): bytes
        case .number(let digits): Array(digits.utf8)
        case .bool(let value): Array((value ? "true" : "false").utf8)
        case .null, .array, .object: nil
        }
    }

    /// The member of this name, or the element of this number.
    func child(_ token: String) -> ModelValue? {
        switch self {
        case .object(let members): members.first { $0.name == Array(token.utf8) }?.value
        case .array(let elements): Self.index(token).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
        default: nil
        }
    }

    /// What a pointer leads to.
    func value(at tokens: [String]) -> ModelValue? {
        tokens.reduce(Optional(self)) { value, token in value?.child(token) }
    }

    /// All members' values, or all elements.
    var children: [ModelValue] {
        switch self {
        case .object(let members): members.map(\.value)
        case .array(let elements): elements
        default: []
        }
    }

    /// The number of an element that a token of a pointer is (RFC 6901 §4).
    static func index(_ token: String) -> Int? {
        guard token == "0" || token.utf8.first != UInt8(ascii: "0"),
            token.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(token)
    }
}

/// A member of an object.
struct ModelMember: Equatable {
    var name: [UInt8]
    var value: ModelValue

    init(_ name: [UInt8], _ value: ModelValue) {
        self.name = name
        self.value = value
    }
}

extension ModelValue {
    /// Compact JSON.
    var json: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let digits): digits
        case .string(let bytes): Self.quoted(bytes)
        case .array(let elements): "[" + elements.map(\.json).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { Self.quoted($0.name) + ":" + $0.value.json }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ bytes: [UInt8]) -> String {
        var text = "\""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\u{0}"..."\u{1F}": text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

/// Reads JSON (RFC 8259), as plainly as can be: names that are there twice are an error.
struct ModelParser {
    struct Failure: Error { var offset: Int }

    private let bytes: [UInt8]
    private var position = 0

    static func parse(_ bytes: [UInt8]) throws -> ModelValue {
        var parser = ModelParser(bytes: bytes)
        let value = try parser.value()
        parser.skipBlanks()
        guard parser.position == bytes.count else { throw Failure(offset: parser.position) }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func skipBlanks() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    /// The next byte that is no blank.
    private mutating func peek() throws -> UInt8 {
        skipBlanks()
        guard position < bytes.count else { throw Failure(offset: position) }
        return bytes[position]
    }

    private mutating func take(_ text: String) throws {
        guard bytes[position...].starts(with: text.utf8) else { throw Failure(offset: position) }
        position += text.utf8.count
    }

    private mutating func value() throws -> ModelValue {
        switch try peek() {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "n"): try take("null"); return .null
        case UInt8(ascii: "t"): try take("true"); return .bool(true)
        case UInt8(ascii: "f"): try take("false"); return .bool(false)
        default: return .number(try number())
        }
    }

    private mutating func object() throws -> ModelValue {
        try take("{")
        var members: [ModelMember] = []
        while try peek() != UInt8(ascii: "}") {
            if !members.isEmpty {
                try take(",")
                _ = try peek()
            }
            let name = try string()
            guard !members.contains(where: { $0.name == name }), try peek() == UInt8(ascii: ":") else {
                throw Failure(offset: position)
            }
            position += 1
            members.append(ModelMember(name, try value()))
        }
        position += 1
        return .object(members)
    }

    private mutating func array() throws -> ModelValue {
        try take("[")
        var elements: [ModelValue] = []
        while try peek() != UInt8(ascii: "]") {
            if !elements.isEmpty { try take(",") }
            elements.append(try value())
        }
        position += 1
        return .array(elements)
    }

    private mutating func number() throws -> String {
        let start = position
        while position < bytes.count, "+-.eE0123456789".utf8.contains(bytes[position]) { position += 1 }
        guard position > start else { throw Failure(offset: position) }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func string() throws -> [UInt8] {
        try take("\"")
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            if bytes[position] == UInt8(ascii: "\\") {
                text += Array(String(Character(try escape())).utf8)
            } else {
                text.append(bytes[position])
                position += 1
            }
        }
        try take("\"")
        return text
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard position + 1 < bytes.count else { throw Failure(offset: position) }
        let letter = bytes[position + 1]
        let plain: [UInt8: Unicode.Scalar] = [
            0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r", 0x74: "\t", 0x22: "\"", 0x5C: "\\", 0x2F: "/",
        ]
        if let scalar = plain[letter] {
            position += 2
            return scalar
        }
        let first = try unit()
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (try unit() - 0xDC00)) ?? "\u{FFFD}"
    }

    /// `\u` and four digits.
    private mutating func unit() throws -> UInt32 {
        try take("\\u")
        guard position + 4 <= bytes.count,
            let unit = UInt32(String(decoding: bytes[position..<(position + 4)], as: UTF8.self), radix: 16)
        else { throw Failure(offset: position) }
        position += 4
        return unit
    }
}
