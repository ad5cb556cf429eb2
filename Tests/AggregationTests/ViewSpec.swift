import Aggregation
import JSON

/// A view as the model knows it: what `AggregateDefinition` says in texts, already taken apart.
struct ViewSpec {
    /// One step of a way into a value.
    enum Step: Equatable {
        case name(String)
        case every
    }

    /// What stands between braces.
    enum Reference {
        case part(Int, [String])
        case query
        case each
        case all
    }

    enum Piece {
        case text(String)
        case reference(Reference)
    }

    /// A JSON value whose strings are templates.
    indirect enum Form {
        case literal(ModelValue)
        case string([Piece])
        case array([Form])
        case object([(name: String, form: Form)])
    }

    /// Places within a part's value.
    struct Pattern {
        var steps: [Step]
        /// Written without a slash: a member of the value, or of each object in it where it is an array.
        var isName = false
    }

    enum Members {
        case all
        case only([Pattern])
        case allBut([Pattern])
    }

    struct FanOut {
        var source: Int
        /// From the top of the source's answer, or from each of its values, to the values.
        var steps: [Step]
        var isBatch: Bool
        var limit: Int
        var concurrency: Int
        var key: [String]
    }

    /// Where a part's value is put.
    struct Join {
        var host: Int
        /// The objects, from the host's value on.
        var place: [Step]
        var member: String
        /// From there to the value that was asked for; nil for a part that is asked once.
        var key: [String]?
    }

    /// What of the base a part's value replaces.
    enum Replacing {
        case nothing
        /// What stands where `join` says.
        case place
        case whole
    }

    struct Part {
        var name: String
        var path: [Piece]
        var header: [Piece]?
        var body: Form?
        /// Whether it writes, and so runs alone.
        var isStep = false
        var isOptional = false
        var defaultValue = ModelValue.null
        var pick: [String] = []
        var members = Members.all
        var renames: [(pattern: Pattern, name: String)] = []
        var flattened: [Pattern] = []
        var isMerged = false
        var fanOut: FanOut?
        var join: Join?
        var replacing = Replacing.nothing

        /// Whether the view goes on without it.
        var isDispensable: Bool { isOptional || replacing != .nothing }

        /// What the requests are made of.
        var references: [Reference] {
            (path + (header ?? [])).compactMap(\.reference) + (body?.references ?? [])
        }

        /// The parts that it waits for.
        var dependencies: [Int] { references.compactMap(\.part) + (fanOut.map { [$0.source] } ?? []) }
    }

    var parts: [Part]
    /// Whether the first part is the base.
    var hasBase = false
    var output: Form?
    /// Whom a part waits for beside those whose answers it needs: what stands before it, if one of the two writes.
    func predecessors(of part: Int) -> [Int] {
        parts.indices.filter { $0 < part && (parts[$0].isStep || parts[part].isStep) }
    }
    var conflicts = AggregateDefinition.Conflicts.first
    var namesErrors = false
}

extension ViewSpec.Piece {
    var reference: ViewSpec.Reference? {
        if case .reference(let reference) = self { return reference }
        return nil
    }
}

extension ViewSpec.Piece {
    /// Whether it is the client's.
    var isInput: Bool {
        if case .reference(.query) = self { return true }
        return false
    }
}

extension ViewSpec.Reference {
    var part: Int? {
        if case .part(let part, _) = self { return part }
        return nil
    }
}

extension ViewSpec.Form {
    var references: [ViewSpec.Reference] {
        switch self {
        case .literal: []
        case .string(let pieces): pieces.compactMap(\.reference)
        case .array(let elements): elements.flatMap(\.references)
        case .object(let members): members.flatMap(\.form.references)
        }
    }
}

// MARK: - As a definition

extension ViewSpec {
    /// The same in the texts of a configuration.
    var definition: AggregateDefinition {
        var definition = AggregateDefinition(parts: parts.map(definition))
        definition.hasBase = hasBase
        definition.output = output.map(json)
        definition.conflicts = conflicts
        definition.namesErrors = namesErrors
        return definition
    }

    private func definition(_ part: Part) -> AggregateDefinition.Part {
        var made = AggregateDefinition.Part(name: part.name, target: 0, path: text(part.path))
        if let header = part.header { made.headers = [.init(name: "X-Value", value: text(header))] }
        if let body = part.body {
            made.method = "POST"
            made.body = json(body)
        }
        made.isStep = part.isStep
        made.isOptional = part.isOptional
        made.defaultValue = part.defaultValue.configured
        made.pick = JSONPointer(part.pick)
        switch part.members {
        case .all: break
        case .only(let patterns): made.members = .only(patterns.map(\.text))
        case .allBut(let patterns): made.members = .allBut(patterns.map(\.text))
        }
        made.renames = part.renames.map { ($0.pattern.text, $0.name) }
        made.flattened = part.flattened.map(\.text)
        made.isMerged = part.isMerged
        if let fanOut = part.fanOut {
            let every: [Step] = parts[fanOut.source].fanOut == nil ? [] : [.every]
            made.fanOut = AggregateDefinition.FanOut(
                values: way(parts[fanOut.source].name, every + fanOut.steps), isBatch: fanOut.isBatch)
            made.fanOut?.limit = fanOut.limit
            made.fanOut?.concurrency = fanOut.concurrency
            made.fanOut?.key = JSONPointer(fanOut.key)
        }
        if let join = part.join, part.replacing == .place {
            made.replaces = Pattern(steps: join.place + [.name(join.member)]).text
        } else if let join = part.join {
            let host = parts[join.host]
            let top: [Step] = host.fanOut == nil ? host.pick.map { .name($0) } : [.every]
            made.into = way(host.name, top + join.place + [.name(join.member)])
        }
        if part.replacing == .whole { made.replaces = "" }
        return made
    }

    /// Where a part's value is put: beside what it replaces, a view can add to its base.
    func place(of part: Int) -> Join? {
        if parts[part].join != nil { return parts[part].join }
        guard hasBase, output == nil, part > 0, parts[part].replacing == .nothing else { return nil }
        return Join(host: 0, place: [], member: parts[part].name, key: nil)
    }

    /// The part that replaces the whole base.
    var successor: Int? { parts.firstIndex { $0.replacing == .whole } }

    private func way(_ part: String, _ steps: [Step]) -> String {
        steps.reduce(part) { text, step in
            switch step {
            case .every: text + "[*]"
            case .name(let name): ModelValue.index(name) == nil ? "\(text).\(name)" : "\(text)[\(name)]"
            }
        }
    }

    private func text(_ pieces: [Piece]) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .reference(.part(let part, let tokens)): "{\(([parts[part].name] + tokens).joined(separator: "."))}"
            case .reference(.query): "{query.q}"
            case .reference(.each): "{each}"
            case .reference(.all): "{each,}"
            }
        }.joined()
    }

    private func json(_ form: Form) -> JSONValue {
        switch form {
        case .literal(let value): value.configured
        case .string(let pieces): .string(text(pieces))
        case .array(let elements): .array(elements.map(json))
        case .object(let members): .object(members.map { JSONMember(name: $0.name, value: json($0.form)) })
        }
    }
}

extension ViewSpec.Pattern {
    var text: String {
        if isName, case .name(let name) = steps[0] { return name }
        return steps.map { step in
            switch step {
            case .every: "/*"
            case .name(let name): JSONPointer([name]).description
            }
        }.joined()
    }
}

extension ModelValue {
    /// The same as configurations have it: numbers are integers there.
    var configured: JSONValue {
        switch self {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let digits): .integer(Int64(digits) ?? 0)
        case .string(let bytes): .string(String(decoding: bytes, as: UTF8.self))
        case .array(let elements): .array(elements.map(\.configured))
        case .object(let members):
            .object(
                members.map { JSONMember(name: String(decoding: $0.name, as: UTF8.self), value: $0.value.configured) })
        }
    }
}
