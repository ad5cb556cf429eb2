import ByteBuffers
import JSON

/// Gathers what is said of a part's value, place by place, and makes a shape of it.
final class ShapeDraft {
    private var members: [(name: String, draft: ShapeDraft)] = []
    private var every: ShapeDraft?
    private var elements: ShapeDraft?
    /// Whether only what is listed stays.
    private var isList = false
    /// Whether it, or something within it, is listed.
    private var isListed = false
    /// Whether all of it is listed.
    private var isWhole = false
    /// Whether a way leads here; else it is a name, which means members alone and never an element.
    private var isOnWay = false
    private var isOmitted = false
    private var rename: String?
    private var isFlat = false
    private var joins: [Shape.Join] = []

    init() {}

    /// Places within a value.
    struct Pattern {
        let steps: [ValuePath.Step]
        /// Written without a slash: a name of one step.
        let isName: Bool
    }

    /// The place behind `steps`.
    func place(_ steps: some Sequence<ValuePath.Step>) -> ShapeDraft {
        steps.reduce(self) { draft, step in
            let child = draft.child(step)
            child.isOnWay = true
            return child
        }
    }

    /// The places that a pattern means: a name means a member, and that of each element where this is an array.
    private func places(_ pattern: Pattern) -> [ShapeDraft] {
        pattern.isName ? [self, ofElements()].map { $0.child(pattern.steps[0]) } : [place(pattern.steps)]
    }

    private func child(_ step: ValuePath.Step) -> ShapeDraft {
        switch step {
        case .every:
            let child = every ?? ShapeDraft()
            every = child
            return child
        case .named(let name):
            if let member = members.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) { return member.draft }
            let child = ShapeDraft()
            members.append((name, child))
            return child
        }
    }

    private func ofElements() -> ShapeDraft {
        let draft = elements ?? ShapeDraft()
        elements = draft
        return draft
    }

    /// Keeps only what is listed in this value, or in the elements of an array.
    func list() {
        isList = true
        ofElements().isList = true
    }

    /// Keeps what the pattern means, and of what lies above it nothing that is not listed.
    func keep(_ pattern: Pattern) {
        if pattern.isName {
            list()
        } else {
            var draft = self
            for step in pattern.steps {
                draft.isList = true
                draft = draft.child(step)
                draft.isListed = true
            }
        }
        for place in places(pattern) { (place.isListed, place.isWhole) = (true, true) }
    }

    /// Leaves out what the pattern means.
    func omit(_ pattern: Pattern) { for place in places(pattern) { place.isOmitted = true } }

    /// Gives the members that the pattern means another name.
    func rename(_ pattern: Pattern, to name: String) { for place in places(pattern) { place.rename = name } }

    /// Puts the members of the objects that the pattern means in their place.
    func flatten(_ pattern: Pattern) { for place in places(pattern) { place.isFlat = true } }

    /// Sets a member of this object to what a part has; false where another part is put there already.
    func join(_ name: String, part: Int, key: CompiledPointer?, origin: CompiledPointer? = nil) -> Bool {
        if joins.contains(where: { $0.name.span.equals(Array(name.utf8).span) }) { return false }
        joins.append(Shape.Join(name: Array(name.utf8), label: Self.label(name), part: part, key: key, origin: origin))
        return true
    }

    /// The names that members of this object get: those of them that are known.
    var knownNames: [String] {
        members.compactMap { member in
            let isListed = member.draft.isListed || every?.isListed == true
            if member.draft.isOmitted || isList && !isListed { return nil }
            return member.draft.rename ?? (isList ? member.name : nil)
        } + joins.map { String(decoding: $0.name, as: UTF8.self) }
    }

    /// The shape; nil where nothing changes.
    func make() -> Shape? { make(isWhole: false) }

    /// `isWhole`: whether all of what lies here is listed above.
    private func make(isWhole: Bool) -> Shape? {
        let isWhole = isWhole || self.isWhole
        let isStrict = isList && !isWhole
        // What is said of all members holds for those that more is said of, too.
        let members = members.map { name, draft in
            let inner = draft.merged(every)
            return Shape.Member(name: Array(name.utf8), shape: inner.make(isWhole, stays: !isStrict || inner.isListed))
        }
        var others = every?.make(isWhole: isWhole)
        if isStrict { others = every.flatMap { $0.isListed ? $0.make(isWhole, stays: true) : nil } }
        let (elements, indexed) = arrayShapes(isWhole, isStrict)
        if members.isEmpty, others == nil, elements == nil, indexed.isEmpty, !isStrict, isUnmarked { return nil }
        return Shape(
            members: members, every: others, keepsOthers: !isStrict, isOmitted: isOmitted,
            label: rename.map(Self.label), isFlat: isFlat, joins: joins, elements: elements, indexed: indexed)
    }

    /// What happens to the elements where the value is an array: to all, and to some of them. A list that does not speak of
    /// elements leaves an array as it is.
    private func arrayShapes(_ isWhole: Bool, _ isStrict: Bool) -> (all: Shape?, some: [Shape.Element]) {
        let all = elements?.merged(every) ?? every
        let some = members.compactMap { name, draft in
            draft.isOnWay ? CompiledPointer(JSONPointer([name])).arrayIndex(0).map { (index: $0, draft: draft) } : nil
        }
        let areListed = all?.isList == true || all?.isListed == true
        let isSpokenOf = areListed || some.contains { $0.draft.isListed }
        let stay = !isStrict || !isSpokenOf || areListed
        let indexed = some.map { index, draft in
            Shape.Element(
                index: index, shape: draft.merged(all).make(isWhole, stays: stay || draft.isListed))
        }
        return (stay ? all?.make(isWhole: isWhole) : (all ?? ShapeDraft()).make(isWhole, stays: false), indexed)
    }

    private var isUnmarked: Bool { !isOmitted && rename == nil && !isFlat && joins.isEmpty }

    /// A shape even where nothing changes; what does not stay is left out.
    private func make(_ isWhole: Bool, stays: Bool) -> Shape {
        let shape = make(isWhole: isWhole) ?? Shape.plain
        return stays ? shape : shape.omitted()
    }

    private func merged(_ other: ShapeDraft?) -> ShapeDraft {
        guard let other else { return self }
        let merged = ShapeDraft()
        for draft in [self, other] {
            for (name, inner) in draft.members {
                let place = merged.members.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
                if let place {
                    merged.members[place].draft = merged.members[place].draft.merged(inner)
                } else {
                    merged.members.append((name, inner))
                }
            }
            if let every = draft.every { merged.every = merged.every?.merged(every) ?? every }
            if let elements = draft.elements { merged.elements = merged.elements?.merged(elements) ?? elements }
            merged.isList = merged.isList || draft.isList
            merged.isListed = merged.isListed || draft.isListed
            merged.isWhole = merged.isWhole || draft.isWhole
            merged.isOnWay = merged.isOnWay || draft.isOnWay
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
