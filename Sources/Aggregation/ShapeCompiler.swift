import JSON

/// Makes the shapes of a view's parts: which members stay, and which parts are put where.
struct ShapeCompiler {
    private let drafts: [ShapeDraft]
    private(set) var issues: [AggregateIssue] = []

    private let hasOutput: Bool
    private let hasBase: Bool

    init(_ parts: [PartDraft], hasOutput: Bool, hasBase: Bool) {
        self.hasBase = hasBase
        drafts = parts.map { _ in ShapeDraft() }
        self.hasOutput = hasOutput
    }

    /// The shapes of the parts' values, by their numbers. In `parts` it is noted which part is put into which.
    mutating func compile(_ parts: inout [PartDraft]) -> [Shape?] {
        for index in parts.indices {
            keepMembers(parts[index], in: value(index, parts))
            do throws(AggregateIssue) {
                if let place = parts[index].definition.replaces {
                    parts[index].host = try replace(index, place, parts)
                } else if let into = parts[index].definition.into {
                    parts[index].host = try join(index, into, parts)
                } else if hasBase, !hasOutput, index > 0 {
                    parts[index].host = try add(index, parts)
                }
            } catch {
                issues.append(error)
            }
        }
        reportCycles(parts)
        if !hasOutput { reportCollisions(parts) }
        return parts.indices.map { value($0, parts).make() }
    }

    /// What is said of a part's value. Ways of other parts begin at the top of the answer, or at one of many values.
    private func value(_ index: Int, _ parts: [PartDraft]) -> ShapeDraft {
        if parts[index].fanOut != nil { return drafts[index] }
        return drafts[index].place(parts[index].definition.pick.tokens.map { .named($0) })
    }

    /// What becomes of the answers that an output template has pointers into.
    func shapes(of output: Template) -> [Shape?] {
        output.pieces.compactMap { piece -> Shape?? in
            guard case .part(let part, _, _) = piece else { return nil }
            return .some(drafts[part].make())
        }
    }

    // MARK: - Members

    private mutating func keepMembers(_ part: PartDraft, in draft: ShapeDraft) {
        let definition = part.definition
        for rename in definition.renames {
            for pattern in patterns([rename.member], "rename", part) { draft.rename(pattern, to: rename.name) }
        }
        for pattern in patterns(definition.flattened, "flatten", part) { draft.flatten(pattern) }
        switch part.definition.members {
        case .all: break
        case .only(let names):
            if names.isEmpty { draft.list() }
            for pattern in patterns(names, "fields", part) { draft.keep(pattern) }
        case .allBut(let names):
            for pattern in patterns(names, "omit", part) { draft.omit(pattern) }
        }
    }

    private mutating func patterns(_ names: [String], _ key: String, _ part: PartDraft) -> [ShapeDraft.Pattern] {
        names.compactMap { name in
            if let steps = ValuePath.steps(pattern: name), !steps.isEmpty {
                return ShapeDraft.Pattern(steps: steps, isName: name.utf8.first != UInt8(ascii: "/"))
            }
            let message = "expected the name of a member or a JSON pointer such as /items/*/id, found \"\(name)\""
            issues.append(AggregateIssue(part: part.definition.name, key: key, message: message))
            return nil
        }
    }

    // MARK: - Joins

    /// Makes a part a member of the base: beside what it replaces, a view can add to it.
    private func add(_ index: Int, _ parts: [PartDraft]) throws(AggregateIssue) -> Int {
        let part = parts[index].definition
        if part.isMerged {
            let message = "the view is the answer of \"base\": \"merge\" has no meaning beside it, \"into\" has"
            throw AggregateIssue(part: part.name, key: "merge", message: message)
        }
        guard drafts[0].join(part.name, part: index, key: nil) else {
            let message = "another part stands at \"/\(part.name)\" of the base already"
            throw AggregateIssue(part: part.name, key: "name", message: message)
        }
        return 0
    }

    /// Puts a part into another one, and says into which.
    private func join(_ index: Int, _ into: String, _ parts: [PartDraft]) throws(AggregateIssue) -> Int {
        let name = parts[index].definition.name
        func failure(_ message: String) -> AggregateIssue { AggregateIssue(part: name, key: "into", message: message) }
        var path: ValuePath
        do throws(TemplateError) {
            path = try ValuePath(parsing: into)
        } catch {
            throw failure(error.description)
        }
        guard let host = parts.firstIndex(where: { $0.definition.name == path.part }) else {
            let hint = nearestName(to: path.part, among: parts.map(\.definition.name))
            throw failure("there is no part \"\(path.part)\"" + (hint.map { ", did you mean \"\($0)\"?" } ?? ""))
        }
        guard host != index else { throw failure("a part cannot be put into itself") }
        if parts[host].definition.replaces?.isEmpty == true {
            throw failure("\"\(path.part)\" stands for the whole base, and is not always asked: put it into \"base\"")
        }
        guard case .named(let member)? = path.steps.popLast() else {
            throw failure("expected the name of a member at the end of \"\(into)\"")
        }
        if parts[host].fanOut != nil {
            guard path.steps.first == .every else {
                throw failure("\"\(path.part)\" has many values: write \(path.part)[*] to go through them")
            }
            path.steps.removeFirst()
        } else {
            let pick = parts[host].definition.pick.tokens.map { ValuePath.Step.named($0) }
            guard path.steps.starts(with: pick) else {
                throw failure("\"\(into)\" lies outside of what \"pick\" leaves of \"\(path.part)\"")
            }
        }
        let key = try self.key(of: parts[index], beside: path, host, parts)
        let draft = drafts[host].place(path.steps)
        guard draft.join(member, part: index, key: key) else {
            throw failure("another part is put to \"\(into)\" already")
        }
        return host
    }

    /// Puts a part into the place of the base that it replaces.
    private func replace(_ index: Int, _ place: String, _ parts: [PartDraft]) throws(AggregateIssue) -> Int {
        let part = parts[index].definition
        func failure(_ message: String) -> AggregateIssue {
            AggregateIssue(part: part.name, key: "replaces", message: message)
        }
        guard hasBase, index > 0 else { throw failure("there is no \"base\" to replace something of") }
        if hasOutput {
            throw failure("\"output\" says what the view looks like: \"replaces\" has no meaning beside it")
        }
        for other in parts where other.dependencies & 1 << UInt64(index) != 0 {
            throw failure(
                "\"\(other.definition.name)\" needs its answer, and it is not always asked: use {base…} there")
        }
        let successors = parts.filter { $0.definition.replaces?.isEmpty == true }
        if place.isEmpty {
            if parts.firstIndex(where: { $0.definition.replaces?.isEmpty == true }) != index {
                throw failure("another part replaces the whole base already")
            }
            if parts[index].fanOut != nil { throw failure("many values cannot replace the whole base") }
            if part.members != .all || !part.renames.isEmpty || !part.flattened.isEmpty {
                throw failure("what replaces the whole base has to look like it: leave its members as they are")
            }
            return 0
        }
        guard var steps = ValuePath.steps(pattern: place), place.hasPrefix("/"),
            case .named(let name)? = steps.popLast()
        else {
            throw failure("expected a JSON pointer to a member such as /user or /items/*/user, found \"\(place)\"")
        }
        if steps.contains(.every), !successors.isEmpty {
            throw failure("a place with * cannot be found again where another part replaces the whole base")
        }
        let key = try self.key(of: parts[index], beside: ValuePath(part: "base", steps: steps), 0, parts, "replaces")
        let origin = CompiledPath(steps + [.named(name)]).pointers[0]
        guard drafts[0].place(steps).join(name, part: index, key: key, origin: origin) else {
            throw failure("another part replaces \(place) already")
        }
        return 0
    }

    /// Where, seen from the object that a part's value is put into, the value stands that the part was asked with.
    private func key(
        of part: PartDraft, beside path: ValuePath, _ host: Int, _ parts: [PartDraft], _ word: String = "into"
    ) throws(AggregateIssue) -> CompiledPointer? {
        func failure(_ message: String) -> AggregateIssue {
            AggregateIssue(part: part.definition.name, key: word, message: message)
        }
        guard let fanOut = part.fanOut, let values = part.values else {
            // The many values of a host all get the one answer; elements of an array need not.
            if path.steps.contains(.every) {
                throw failure("one answer for many places: \"each\" or \"batch\" asks for each of them")
            }
            return nil
        }
        let key = values.steps.dropFirst(path.steps.count)
        guard fanOut.source == host, values.steps.starts(with: path.steps), !key.contains(.every), !key.isEmpty else {
            let asked = part.definition.fanOut?.values ?? ""
            throw failure("it has to stand beside the values that are asked for, \(asked)")
        }
        return CompiledPointer(
            JSONPointer(
                key.map { step in
                    if case .named(let name) = step { return name }
                    return ""
                }))
    }

    /// Reports names of the view that two parts claim, as far as anybody can know.
    private mutating func reportCollisions(_ parts: [PartDraft]) {
        var owners: [String: String] = [:]
        for index in parts.indices where parts[index].host == nil {
            let part = parts[index].definition
            let names = part.isMerged ? value(index, parts).knownNames : [part.name]
            for name in names {
                if let owner = owners[name], owner != part.name {
                    let message = "the view gets a member \"\(name)\" from \"\(owner)\" already"
                    issues.append(
                        AggregateIssue(part: part.name, key: part.isMerged ? "merge" : "name", message: message))
                }
                owners[name] = part.name
            }
        }
    }

    /// Reports parts that are put into each other.
    private mutating func reportCycles(_ parts: [PartDraft]) {
        let hosts = parts.map { $0.host.map { UInt64(1) << UInt64($0) } ?? 0 }
        guard let cycle = PartGraph(dependencies: hosts).cycle() else { return }
        let names = (cycle + [cycle[0]]).map { parts[$0].definition.name }.joined(separator: " → ")
        issues.append(
            AggregateIssue(
                part: parts[cycle[0]].definition.name, key: "into", message: "parts are put into each other: \(names)"))
    }
}
