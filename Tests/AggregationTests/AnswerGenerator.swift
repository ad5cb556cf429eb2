/// Makes answers: at random, but so that what a view looks for is often there.
struct AnswerGenerator {
    var random: SeededGenerator
    /// Whether what is looked for is there as a rule.
    var isKind = true

    private static let odd = ["A", "e\u{301}", "", "q\"\n", "\u{1F600}", "_errors", "0"]
    private static let numbers = [
        "0", "1", "2", "3", "1.0", "1e2", "-0", "12345678901234567890123", "0.10", "-1E-999",
    ]
    private static let strings = [
        "1", "2", "x y", "", "..", ".", "a,b", "é", "a\u{0}b", "\"\\/", "true", "%2e", "a\nb", "/", "\u{1F600}",
    ]

    // MARK: - Values

    /// Any value.
    mutating func value(_ depth: Int) -> ModelValue {
        switch random.below(depth > 0 ? 10 : 5) {
        case 0, 1: return .number(random.pick(Self.numbers))
        case 2, 3: return .string(Array(random.pick(Self.strings).utf8))
        case 4: return random.pick([.null, .bool(true), .bool(false)])
        case 5, 6: return .array((0..<random.below(4)).map { _ in value(depth - 1) })
        default:
            var members: [ModelMember] = []
            for _ in 0..<random.below(5) {
                let name = Array(random.pick(random.chance(75) ? ViewGenerator.names : Self.odd).utf8)
                if !members.contains(where: { $0.name == name }) { members.append(ModelMember(name, value(depth - 1))) }
            }
            return .object(members)
        }
    }

    /// A value that another part may ask for.
    private mutating func wanted() -> ModelValue {
        if !isKind, random.chance(15) { return value(1) }
        if random.chance(1) { return .number(String(repeating: "7", count: random.pick([300, 9000]))) }
        return random.chance(60)
            ? .number("\(random.below(6))") : .string(Array(random.pick(["1", "x y", "é", "k"]).utf8))
    }

    /// Makes the way to a place, and puts `leaf` there; leaves it as it is where there is none.
    private mutating func plant(_ value: ModelValue, _ steps: ArraySlice<ViewSpec.Step>, _ leaf: ModelValue?)
        -> ModelValue
    {
        guard let step = steps.first else { return leaf ?? (random.chance(70) ? wanted() : value) }
        let rest = steps.dropFirst()
        switch step {
        case .every:
            switch value {
            case .object(let members) where !members.isEmpty && random.chance(30):
                return .object(members.map { ModelMember($0.name, plant($0.value, rest, leaf)) })
            case .array(let elements) where !elements.isEmpty:
                return .array(elements.map { random.chance(85) ? plant($0, rest, leaf) : $0 })
            default:
                return .array((0..<random.below(5)).map { _ in plant(self.value(1), rest, leaf) })
            }
        case .name(let name):
            if case .array(var elements) = value, let index = ModelValue.index(name), index < 2 {
                while elements.count <= index { elements.append(self.value(1)) }
                elements[index] = plant(elements[index], rest, leaf)
                return .array(elements)
            }
            var members: [ModelMember] = []
            if case .object(let known) = value { members = known }
            if let index = members.firstIndex(where: { $0.name == Array(name.utf8) }) {
                members[index].value = plant(members[index].value, rest, leaf)
            } else {
                members.insert(
                    ModelMember(Array(name.utf8), plant(self.value(1), rest, leaf)), at: random.below(members.count + 1)
                )
            }
            return .object(members)
        }
    }

    // MARK: - Answers

    /// The answer of a part that was asked for `asked`.
    mutating func answer(of part: Int, _ spec: ViewSpec, asked: [[UInt8]]) -> ModelValue {
        let definition = spec.parts[part]
        let pick = definition.pick.map { ViewSpec.Step.name($0) }
        guard let fanOut = definition.fanOut else {
            var value = self.value(2)
            if random.chance(isKind ? 99 : 85) { value = plant(value, pick[...], self.value(2)) }
            return planted(value, ways(into: part, spec))
        }
        var value = planted(self.value(2), ways(into: part, spec))
        if fanOut.isBatch {
            var members: [ModelMember] = []
            for text in asked where random.chance(isKind ? 98 : 80) {
                members.append(ModelMember(text, planted(self.value(2), ways(into: part, spec))))
            }
            members.shuffle(using: &random)
            if random.chance(25) {
                value = .object(members)
            } else {
                let key = fanOut.key.map { ViewSpec.Step.name($0) }
                var elements = members.map { plant($0.value, key[...], Self.scalar($0.name)) }
                if random.chance(30) { elements.insert(self.value(2), at: random.below(elements.count + 1)) }
                if random.chance(20), let twice = elements.randomElement(using: &random) { elements.append(twice) }
                value = .array(elements)
            }
        }
        return pick.isEmpty || !random.chance(isKind ? 99 : 85) ? value : plant(self.value(1), pick[...], value)
    }

    private mutating func planted(_ value: ModelValue, _ ways: [[ViewSpec.Step]]) -> ModelValue {
        var value = value
        for way in ways where random.chance(isKind ? 90 : 60) { value = plant(value, way[...], nil) }
        return value
    }

    private static func scalar(_ text: [UInt8]) -> ModelValue {
        let digits = String(decoding: text, as: UTF8.self)
        return Int(digits).map { "\($0)" } == digits ? .number(digits) : .string(text)
    }

    /// What is looked for in a part's answer, or in one of its values.
    private func ways(into part: Int, _ spec: ViewSpec) -> [[ViewSpec.Step]] {
        let definition = spec.parts[part]
        let pick: [ViewSpec.Step] = definition.fanOut == nil ? definition.pick.map { .name($0) } : []
        var patterns = definition.renames.map(\.pattern) + definition.flattened
        switch definition.members {
        case .all: break
        case .only(let some), .allBut(let some): patterns += some
        }
        var ways = patterns.filter { !$0.isName || $0.steps.count > 1 }.map { pick + $0.steps }
        ways += spec.parts.compactMap { $0.fanOut?.source == part ? $0.fanOut?.steps : nil }
        if part == 0 || definition.replacing == .whole {
            let replaced = spec.parts.filter { $0.replacing == .place }.compactMap(\.join)
            ways += replaced.map { pick + $0.place + [.name($0.member)] }
        }
        let references = spec.parts.flatMap(\.references) + (spec.output?.references ?? [])
        for case .part(part, let tokens) in references where !tokens.isEmpty { ways.append(tokens.map { .name($0) }) }
        return ways
    }

    // MARK: - Texts

    /// A text of a value: blanks and escapes wherever they may be.
    mutating func text(of value: ModelValue) -> [UInt8] {
        var text: [UInt8] = []
        write(value, to: &text)
        return text
    }

    private mutating func blank(_ text: inout [UInt8]) {
        if random.chance(12) { text.append(random.pick([0x20, 0x0A, 0x0D, 0x09])) }
    }

    private mutating func write(_ value: ModelValue, to text: inout [UInt8]) {
        blank(&text)
        switch value {
        case .null: text += Array("null".utf8)
        case .bool(let value): text += Array((value ? "true" : "false").utf8)
        case .number(let digits): text += Array(digits.utf8)
        case .string(let bytes): write(bytes, to: &text)
        case .array(let elements):
            text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                write(element, to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let members):
            text.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                blank(&text)
                write(member.name, to: &text)
                blank(&text)
                text.append(UInt8(ascii: ":"))
                write(member.value, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
        blank(&text)
    }

    private mutating func write(_ string: [UInt8], to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        let isEscaped = random.chance(15)
        for scalar in String(decoding: string, as: UTF8.self).unicodeScalars {
            if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" || isEscaped && random.chance(50) {
                if scalar == "\n", random.chance(50) {
                    text += Array("\\n".utf8)
                } else if scalar == "\"" || scalar == "\\" || scalar == "/" {
                    text += Array("\\\(scalar)".utf8)
                } else {
                    for unit in String(Character(scalar)).utf16 {
                        let digits = String(unit, radix: 16, uppercase: random.chance(50))
                        text += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
                    }
                }
            } else {
                text += Array(String(Character(scalar)).utf8)
            }
        }
        text.append(UInt8(ascii: "\""))
    }

    /// A text that is no JSON.
    mutating func invalidText(insteadOf value: ModelValue) -> [UInt8] {
        switch random.below(4) {
        case 0: return text(of: value) + Array(random.pick(["x", "{}", ",", "\u{0}"]).utf8)
        case 1:
            let whole = Array(ModelValue.array([value]).json.utf8)
            return Array(whole.prefix(random.below(whole.count)))
        case 2: return Array(String(repeating: "[", count: 129).utf8) + Array(String(repeating: "]", count: 129).utf8)
        default:
            return Array(
                random.pick([
                    "", "<html>", "{\"a\":1,\"\\u0061\":2}", "[NaN]", "\u{FEFF}{}", "\"\\ud800\"", "01", "[1,]",
                    "{'a':1}",
                    "\"a\nb\"",
                ]).utf8)
        }
    }
}
