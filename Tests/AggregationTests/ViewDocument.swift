@testable import Aggregation

/// The document of a view, as the model makes it: what is said of a place is looked for anew at each place.
extension ViewModel {
    /// Something that is said of places.
    struct Rule {
        enum Action {
            case omit
            case rename(String)
            case flatten
            case join(Int)
        }

        /// What is left of the way there.
        var steps: ArraySlice<ViewSpec.Step>
        var isName = false
        var action: Action
    }

    /// What is said of a place and of what lies within it.
    struct Rules {
        /// What alone stays; nil for everything.
        var allowed: [ViewSpec.Pattern]?
        var others: [Rule] = []
        /// Whether the place is the value itself: names mean members of its elements, too, and no list means no member.
        var isTop = false
    }

    /// The whole view.
    mutating func document() -> ModelValue {
        var document: ModelValue
        let hasErrors = isPartial && spec.namesErrors
        if let output = spec.output {
            document = fill(output)
        } else if spec.hasBase {
            let value = states[source].value ?? .null
            document = shaped(value, rules(0))
            if hasErrors, case .object(let members) = document {
                document = .object(members.filter { $0.name != Array("_errors".utf8) })
            }
        } else {
            var members: [ModelMember] = []
            for part in spec.parts.indices where spec.parts[part].join == nil { members += self.members(of: part) }
            // The view's own member is nobody else's.
            if hasErrors { members.removeAll { $0.name == Array("_errors".utf8) } }
            document = .object(unique(members))
        }
        if hasErrors, case .object(let members) = document {
            document = .object(members + [ModelMember(Array("_errors".utf8), errors)])
        }
        return document
    }

    /// Whose answer the view of a base is.
    private var source: Int {
        guard let successor = spec.successor, states[successor].isAnswered else { return 0 }
        return successor
    }

    /// What a part adds to a view without a template.
    private mutating func members(of part: Int) -> [ModelMember] {
        if spec.parts[part].isMerged {
            if !states[part].isAnswered {
                if case .object(let members) = spec.parts[part].defaultValue { return members }
                return []
            }
            if case .object(let members)? = states[part].value { return self.members(of: members, rules(part)) }
        }
        return [ModelMember(Array(spec.parts[part].name.utf8), value(of: part))]
    }

    /// A part's value in the view.
    mutating func value(of part: Int) -> ModelValue {
        guard states[part].isAnswered else { return spec.parts[part].defaultValue }
        guard let values = states[part].values else {
            return states[part].value.map { shaped($0, rules(part)) } ?? .null
        }
        return .object(values.map { ModelMember($0.text, value(of: $0, part)) })
    }

    private mutating func value(of value: Value, _ part: Int) -> ModelValue {
        value.answer.map { shaped($0, rules(part)) } ?? spec.parts[part].defaultValue
    }

    // MARK: - Shapes

    /// What is said of a part's value.
    func rules(_ part: Int) -> Rules {
        let definition = spec.parts[part]
        var rules = Rules(isTop: true)
        func add(_ pattern: ViewSpec.Pattern, _ action: Rule.Action) {
            rules.others.append(Rule(steps: pattern.steps[...], isName: pattern.isName, action: action))
        }
        switch definition.members {
        case .all: break
        case .only(let patterns): rules.allowed = patterns
        case .allBut(let patterns): for pattern in patterns { add(pattern, .omit) }
        }
        for rename in definition.renames { add(rename.pattern, .rename(rename.name)) }
        for pattern in definition.flattened { add(pattern, .flatten) }
        for index in spec.parts.indices {
            guard let join = spec.place(of: index), join.host == part else { continue }
            add(ViewSpec.Pattern(steps: join.place), .join(index))
        }
        return rules
    }

    mutating func shaped(_ value: ModelValue, _ rules: Rules) -> ModelValue {
        switch value {
        case .object(let members): return .object(unique(self.members(of: members, rules)))
        case .array(let elements):
            var shaped: [ModelValue] = []
            for (index, element) in elements.enumerated() {
                let (stays, inner) = Self.inner(rules, element: index)
                if stays, !inner.isOmitted { shaped.append(self.shaped(element, inner)) }
            }
            return .array(shaped)
        default: return value
        }
    }

    /// The members that an object has in the view.
    private mutating func members(of object: [ModelMember], _ rules: Rules) -> [ModelMember] {
        var members: [ModelMember] = []
        var joins = rules.others.compactMap { rule in
            if case .join(let part) = rule.action, rule.steps.isEmpty { part } else { nil }
        }.filter { isThere($0, object) }
        for member in object {
            let name = String(decoding: member.name, as: UTF8.self)
            if let index = joins.firstIndex(where: { Array(spec.place(of: $0)?.member.utf8 ?? "".utf8) == member.name }
            ) {
                members.append(join(joins.remove(at: index), object))
                continue
            }
            let (stays, inner) = Self.inner(rules, member: name)
            if !stays || inner.isOmitted { continue }
            if inner.isFlat, case .object(let deeper) = member.value {
                members += self.members(of: deeper, inner)
            } else {
                members.append(ModelMember(inner.name ?? member.name, shaped(member.value, inner)))
            }
        }
        for part in joins { members.append(join(part, object)) }
        return members
    }

    /// Whether a part has something to be put into an object: what replaces something of the base may have nothing, so that
    /// this stays.
    private func isThere(_ part: Int, _ object: [ModelMember]) -> Bool {
        guard spec.parts[part].replacing == .place, let join = spec.place(of: part) else { return true }
        if !states[part].isAnswered { return source != 0 && old(join) != nil }
        guard let key = join.key else { return true }
        let text: [UInt8]?
        switch ModelValue.object(object).value(at: key) {
        case .string(let bytes)?: text = bytes
        case .number(let digits)?: text = Array(digits.utf8)
        default: text = nil
        }
        return states[part].values?.first { $0.text == text }?.answer != nil
    }

    /// What the base has where a part is put.
    private func old(_ join: ViewSpec.Join) -> ModelValue? {
        let names = (join.place + [.name(join.member)]).compactMap { step in
            if case .name(let name) = step { name } else { nil }
        }
        return states[0].answer?.value(at: names)
    }

    /// A part that is put into an object.
    private mutating func join(_ part: Int, _ object: [ModelMember]) -> ModelMember {
        guard let join = spec.place(of: part) else { return ModelMember([], .null) }
        let name = Array(join.member.utf8)
        if spec.parts[part].replacing == .place, !states[part].isAnswered {
            return ModelMember(name, old(join) ?? .null)
        }
        guard let key = join.key else { return ModelMember(name, value(of: part)) }
        switch ModelValue.object(object).value(at: key) {
        case .string(let text)?: return ModelMember(name, joined(part, text))
        case .number(let digits)?: return ModelMember(name, joined(part, Array(digits.utf8)))
        default: return ModelMember(name, .null)
        }
    }

    private mutating func joined(_ part: Int, _ text: [UInt8]) -> ModelValue {
        let values = states[part].isAnswered ? states[part].values ?? [] : []
        guard let value = values.first(where: { $0.text == text }) else { return spec.parts[part].defaultValue }
        return self.value(of: value, part)
    }

    /// Of members with one name only one, as the view has it.
    private mutating func unique(_ members: [ModelMember]) -> [ModelMember] {
        var unique: [ModelMember] = []
        for member in members {
            if let index = unique.firstIndex(where: { $0.name == member.name }) {
                switch spec.conflicts {
                case .first: continue
                case .last: unique.remove(at: index)
                case .error: hasConflict = true
                }
            }
            unique.append(member)
        }
        return unique
    }

    /// Whether a member stays by `fields`, and what is said of it.
    static func inner(_ rules: Rules, member name: String) -> (stays: Bool, rules: Rules) {
        func leads(_ step: ViewSpec.Step?) -> Bool {
            switch step {
            case .every?: true
            case .name(let other)?: Array(other.utf8) == Array(name.utf8)
            case nil: false
            }
        }
        var inner = Rules()
        inner.others = rules.others.filter { leads($0.steps.first) }.map {
            Rule(steps: $0.steps.dropFirst(), action: $0.action)
        }
        guard let allowed = rules.allowed else { return (true, inner) }
        let leading = allowed.filter { leads($0.steps.first) }
        if !leading.contains(where: { $0.steps.count == 1 }) {
            inner.allowed = leading.map { ViewSpec.Pattern(steps: Array($0.steps.dropFirst())) }
        }
        return (!leading.isEmpty, inner)
    }

    /// The same for an element. An array of which `fields` does not speak stays as it is.
    static func inner(_ rules: Rules, element index: Int) -> (stays: Bool, rules: Rules) {
        func leads(_ step: ViewSpec.Step?) -> Bool {
            switch step {
            case .every?: true
            case .name(let name)?: ModelValue.index(name) == index
            case nil: false
            }
        }
        var inner = Rules()
        for rule in rules.others {
            if rule.isName {
                inner.others.append(Rule(steps: rule.steps, action: rule.action))
            } else if leads(rule.steps.first) {
                inner.others.append(Rule(steps: rule.steps.dropFirst(), action: rule.action))
            }
        }
        guard let allowed = rules.allowed else { return (true, inner) }
        if allowed.isEmpty {
            inner.allowed = rules.isTop ? [] : nil
            return (true, inner)
        }
        let names = allowed.filter(\.isName).map { ViewSpec.Pattern(steps: $0.steps) }
        let ways = allowed.filter { !$0.isName && Self.isForElements($0.steps.first) }
        if names.isEmpty, ways.isEmpty { return (true, inner) }
        let leading = ways.filter { leads($0.steps.first) }
        if !leading.contains(where: { $0.steps.count == 1 }) {
            inner.allowed = names + leading.map { ViewSpec.Pattern(steps: Array($0.steps.dropFirst())) }
        }
        return (!names.isEmpty || !leading.isEmpty, inner)
    }

    private static func isForElements(_ step: ViewSpec.Step?) -> Bool {
        switch step {
        case .every?: true
        case .name(let name)?: ModelValue.index(name) != nil
        case nil: false
        }
    }

    // MARK: - What is told of failures

    private var errors: ModelValue {
        func member(_ name: String, _ value: ModelValue) -> ModelMember { ModelMember(Array(name.utf8), value) }
        func told(_ failure: PartFailure) -> [ModelMember] {
            [member("reason", .string(Array("\(failure.reason.word)".utf8)))]
                + (failure.status > 0 ? [member("status", .number("\(failure.status)"))] : [])
        }
        return .object(
            spec.parts.indices.compactMap { part in
                guard let failure = states[part].failure, spec.parts[part].replacing == .nothing else { return nil }
                let values = (states[part].values ?? []).compactMap { value in
                    value.failure.map { ModelMember(value.text, .object(told($0))) }
                }
                return member(
                    spec.parts[part].name,
                    .object(told(failure) + (values.isEmpty ? [] : [member("values", .object(values))])))
            })
    }

    /// The field `Banyan-Partial`.
    var partial: String { told { $0 == .nothing } }

    /// The field `Banyan-Fallback`.
    var fallback: String { told { $0 != .nothing } }

    private func told(_ isTold: (ViewSpec.Replacing) -> Bool) -> String {
        spec.parts.indices.filter { isTold(spec.parts[$0].replacing) }.compactMap { part in
            states[part].failure.map { failure in
                "\(spec.parts[part].name);reason=\(failure.reason.word)"
                    + (failure.status > 0 ? ";status=\(failure.status)" : "")
                    + (states[part].missing > 0 ? ";values=\(states[part].missing)" : "")
            }
        }.joined(separator: ", ")
    }
}

extension ViewModel.Rules {
    var isOmitted: Bool {
        others.contains { if case .omit = $0.action { $0.steps.isEmpty } else { false } }
    }

    var isFlat: Bool {
        others.contains { if case .flatten = $0.action { $0.steps.isEmpty } else { false } }
    }

    /// The name that the member gets.
    var name: [UInt8]? {
        for rule in others {
            if case .rename(let name) = rule.action, rule.steps.isEmpty { return Array(name.utf8) }
        }
        return nil
    }
}
