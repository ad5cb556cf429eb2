import ByteBuffers
import JSON

/// Gathers what is said of a part's value, place by place, and makes a shape of it.
final class ShapeDraft {
    private var members: [(name: String, draft: ShapeDraft)] = []
    private var every: ShapeDraft?
    private var elements: ShapeDraft?
    /// Whether only what is listed stays.
    private var isList = false
    private var isWhole = false
    private var isOmitted = false
    private var rename: String?
    private var isFlat = false
    private var joins: [Shape.Join] = []

    init() {}

    /// The place behind `steps`.
    func place(_ steps: some Sequence<ValuePath.Step>) -> ShapeDraft { steps.reduce(self) { $0.child($1) } }

    private func child(_ step: ValuePath.Step) -> ShapeDraft {
        switch step {
        case .every:
            let child = every ?? ShapeDraft()
            every = child
            return child
        case .named(let name):
            if let member = members.first(where: { $0.name == name }) { return member.draft }
            let child = ShapeDraft()
            members.append((name, child))
            return child
        }
    }

    /// What is said of the elements of this value, where it is an array.
    func ofElements() -> ShapeDraft {
        let draft = elements ?? ShapeDraft()
        elements = draft
        return draft
    }

    /// Keeps only what is listed in this value.
    func list() { isList = true }

    /// Keeps the value behind `steps`, and of what lies above it nothing that is not listed.
    func keep(_ steps: [ValuePath.Step]) {
        var draft = self
        for step in steps {
            draft.isList = true
            draft = draft.child(step)
        }
        draft.isWhole = true
    }

    /// Leaves out the value behind `steps`.
    func omit(_ steps: [ValuePath.Step]) { place(steps).isOmitted = true }

    /// Gives the member behind `steps` another name.
    func rename(_ steps: [ValuePath.Step], to name: String) { place(steps).rename = name }

    /// Puts the members of the object behind `steps` in its place.
    func flatten(_ steps: [ValuePath.Step]) { place(steps).isFlat = true }

    /// Sets a member of this object to what a part has; false where another part is put there already.
    func join(_ name: String, part: Int, key: CompiledPointer?, origin: CompiledPointer? = nil) -> Bool {
        if joins.contains(where: { $0.name.span.equals(Array(name.utf8).span) }) { return false }
        joins.append(Shape.Join(name: Array(name.utf8), label: Self.label(name), part: part, key: key, origin: origin))
        return true
    }

    /// The names that members of this object get: those of them that are known.
    var knownNames: [String] {
        members.compactMap { $0.draft.isOmitted ? nil : $0.draft.rename ?? (isList ? $0.name : nil) }
            + joins.map { String(decoding: $0.name, as: UTF8.self) }
    }

    /// The shape; nil where nothing changes.
    func make() -> Shape? {
        // What is said of all members holds for those that more is said of, too.
        let members = members.map { Shape.Member(name: Array($0.name.utf8), shape: $0.draft.merged(every).always()) }
        let others = every?.make()
        let inArrays = elements?.merged(every).make()
        if members.isEmpty, others == nil, inArrays == nil, !isList, isUnmarked { return nil }
        return build(members, others, inArrays)
    }

    private var isUnmarked: Bool { !isOmitted && rename == nil && !isFlat && joins.isEmpty }

    private func always() -> Shape { make() ?? build([], nil, nil) }

    private func build(_ members: [Shape.Member], _ every: Shape?, _ elements: Shape?) -> Shape {
        // A wildcard of a list names its members though nothing is said of them.
        let listed = isList && self.every != nil ? every ?? Self.nothing : every
        return Shape(
            members: members, every: listed, keepsOthers: !isList || isWhole, isOmitted: isOmitted,
            label: rename.map(Self.label), isFlat: isFlat, joins: joins, elements: elements)
    }

    private static let nothing = Shape(
        members: [], every: nil, keepsOthers: true, isOmitted: false, label: nil, isFlat: false, joins: [],
        elements: nil)

    private func merged(_ other: ShapeDraft?) -> ShapeDraft {
        guard let other else { return self }
        let merged = ShapeDraft()
        for draft in [self, other] {
            for (name, inner) in draft.members {
                let place = merged.members.firstIndex { $0.name == name }
                if let place {
                    merged.members[place].draft = merged.members[place].draft.merged(inner)
                } else {
                    merged.members.append((name, inner))
                }
            }
            if let every = draft.every { merged.every = merged.every?.merged(every) ?? every }
            if let elements = draft.elements { merged.elements = merged.elements?.merged(elements) ?? elements }
            merged.isList = merged.isList || draft.isList
            merged.isWhole = merged.isWhole || draft.isWhole
            merged.isOmitted = merged.isOmitted || draft.isOmitted
            merged.isFlat = merged.isFlat || draft.isFlat
            merged.rename = merged.rename ?? draft.rename
            merged.joins += draft.joins.filter { join in !merged.joins.contains { $0.name == join.name } }
        }
        return merged
    }

    private static func label(_ name: String) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.appendJSONString(name)
        buffer.append(UInt8(ascii: ":"))
        return Array(buffer.text.utf8)
    }
}
