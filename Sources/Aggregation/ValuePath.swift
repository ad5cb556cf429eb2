import JSON

/// A way into the answer of a part, as configurations write it: `tasks.items[*].user_id`. `[*]` stands for every element of
/// an array and every member of an object, `[0]` for one element.
struct ValuePath: Equatable, Sendable {
    /// One step of the way.
    enum Step: Hashable, Sendable {
        /// The member or element of this name.
        case named(String)
        /// All of them.
        case every
    }

    /// The name of the part that the way begins at.
    var part: String
    var steps: [Step]

    init(part: String, steps: [Step]) {
        self.part = part
        self.steps = steps
    }

    /// Reads the text form.
    init(parsing text: String) throws(TemplateError) {
        var name: [UInt8] = []
        var part: String?
        var steps: [Step] = []
        let bytes = Array(text.utf8)
        var index = 0
        var isNameNext = true
        func failure(_ message: String) -> TemplateError { TemplateError(offset: index, message: message) }
        while index <= bytes.count {
            let byte = index < bytes.count ? bytes[index] : UInt8(ascii: ".")
            switch byte {
            case UInt8(ascii: "."), UInt8(ascii: "["):
                if isNameNext {
                    guard !name.isEmpty else { throw failure("expected a name in \"\(text)\"") }
                    let word = String(decoding: name, as: UTF8.self)
                    if part == nil { part = word } else { steps.append(.named(word)) }
                    name = []
                    isNameNext = false
                }
                if byte == UInt8(ascii: "[") {
                    guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "]")) else {
                        throw failure("\"[\" without \"]\" behind it in \"\(text)\"")
                    }
                    let inner = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
                    guard inner == "*" || JSONPointer.isArrayIndex(inner) else {
                        throw failure("expected [*] or the number of an element in \"\(text)\"")
                    }
                    steps.append(inner == "*" ? .every : .named(inner))
                    index = end
                } else {
                    isNameNext = true
                }
            default:
                guard isNameNext else { throw failure("expected \".\" or \"[\" in \"\(text)\"") }
                name.append(byte)
            }
            index += 1
        }
        guard let part else { throw failure("expected the name of a part") }
        self.part = part
        self.steps = steps
    }

    /// The steps of a JSON pointer in which a token `*` stands for all; a text without a slash is one name.
    static func steps(pattern text: String) -> [Step]? {
        guard text.utf8.first == UInt8(ascii: "/") else { return text.isEmpty ? nil : [.named(text)] }
        return JSONPointer(parsing: text)?.tokens.map { $0 == "*" ? .every : .named($0) }
    }

    /// The text form.
    var text: String {
        steps.reduce(part) { text, step in
            switch step {
            case .named(let name): "\(text).\(name)"
            case .every: text + "[*]"
            }
        }
    }
}

/// A way with wildcards, made ready for walking through an index.
struct CompiledPath: Sendable {
    /// What lies before the first wildcard, between two of them, and behind the last.
    let pointers: [CompiledPointer]
    /// How deep it reaches.
    let depth: Int

    init(_ steps: [ValuePath.Step]) {
        var pointers: [CompiledPointer] = []
        var tokens: [String] = []
        for step in steps {
            switch step {
            case .named(let name): tokens.append(name)
            case .every:
                pointers.append(CompiledPointer(JSONPointer(tokens)))
                tokens = []
            }
        }
        pointers.append(CompiledPointer(JSONPointer(tokens)))
        self.pointers = pointers
        depth = steps.count
    }
}

extension CompiledPointer {
    /// The way as steps.
    var steps: [ValuePath.Step] {
        (0..<count).map { index in
            let name = name(index)
            return .named(name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
        }
    }
}

extension JSONValue {
    /// Whether it is an object.
    var isObject: Bool {
        if case .object = self { return true }
        return false
    }
}
