@testable import Aggregation

/// What the model makes of a view's `output`.
extension ViewModel {
    mutating func fill(_ form: ViewSpec.Form) -> ModelValue {
        switch form {
        case .literal(let value): return value
        case .array(let elements):
            var filled: [ModelValue] = []
            for element in elements { filled.append(fill(element)) }
            return .array(filled)
        case .object(let members):
            var filled: [ModelMember] = []
            for member in members { filled.append(ModelMember(Array(member.name.utf8), fill(member.form))) }
            return .object(filled)
        case .string(let pieces):
            if pieces.count == 1, let reference = pieces[0].reference { return value(reference) }
            return .string(pieces.flatMap(text))
        }
    }

    private mutating func value(_ reference: ViewSpec.Reference) -> ModelValue {
        switch reference {
        case .query: return query.map { .string($0) } ?? .null
        case .part(let part, let tokens):
            if tokens.isEmpty { return value(of: part) }
            return states[part].isAnswered ? value(at: tokens, of: part) ?? .null : .null
        case .each, .all: return .null
        }
    }

    private func text(_ piece: ViewSpec.Piece) -> [UInt8] {
        switch piece {
        case .text(let text): return Array(text.utf8)
        case .reference(.query): return query ?? []
        case .reference(.part(let part, let tokens)):
            guard states[part].isAnswered, states[part].values == nil else { return [] }
            let value = tokens.isEmpty ? states[part].value : states[part].answer?.value(at: tokens)
            return value?.text ?? []
        case .reference(.each), .reference(.all): return []
        }
    }

    /// What a pointer leads to in an answer, with what is said of that place. Who names a place gets it, left out or not.
    private mutating func value(at tokens: [String], of part: Int) -> ModelValue? {
        let pick = spec.parts[part].pick
        guard let answer = states[part].answer, let found = answer.value(at: tokens) else { return nil }
        let common = zip(tokens, pick).prefix { $0 == $1 }.count
        if common < min(tokens.count, pick.count) { return found }
        if tokens.count < pick.count { return shaped(found, above: pick[tokens.count...], part) }
        var rules = rules(part)
        var value = answer.value(at: pick)
        for token in tokens.dropFirst(pick.count) {
            if case .array? = value {
                rules = Self.named(Self.inner(rules, element: ModelValue.index(token) ?? 0))
            } else {
                rules = Self.named(Self.inner(rules, member: token))
            }
            value = value?.child(token)
        }
        return shaped(found, rules)
    }

    private static func named(_ inner: (stays: Bool, rules: Rules)) -> Rules {
        inner.stays ? inner.rules : Rules(allowed: nil, others: inner.rules.others)
    }

    /// A value in which the part's own value lies.
    private mutating func shaped(_ value: ModelValue, above pick: ArraySlice<String>, _ part: Int) -> ModelValue {
        guard let token = pick.first else { return shaped(value, rules(part)) }
        switch value {
        case .object(var members):
            for index in members.indices where members[index].name == Array(token.utf8) {
                members[index].value = shaped(members[index].value, above: pick.dropFirst(), part)
            }
            return .object(members)
        case .array(var elements):
            if let index = ModelValue.index(token), elements.indices.contains(index) {
                elements[index] = shaped(elements[index], above: pick.dropFirst(), part)
            }
            return .array(elements)
        default: return value
        }
    }
}
