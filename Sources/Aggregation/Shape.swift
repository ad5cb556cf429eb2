import ByteBuffers
import JSON

/// What becomes of a value on its way into the view: which members stay, what they are called, and which parts are put
/// into it. Where there is none, bytes pass as they are.
final class Shape: Sendable {
    /// What happens to a member of this name.
    struct Member: Sendable {
        let name: [UInt8]
        let shape: Shape
    }

    /// A part that is put into an object as a member.
    struct Join: Sendable {
        let name: [UInt8]
        /// The name with quotes and colon.
        let label: [UInt8]
        let part: Int
        /// Where in the object the value stands that the part was asked with; nil where the part has one answer.
        let key: CompiledPointer?
        /// For a part that replaces something of the base: where that stands in the base's answer.
        var origin: CompiledPointer?
    }

    /// What happens to the element of this number.
    struct Element: Sendable {
        let index: Int
        let shape: Shape
    }

    let members: [Member]
    /// What happens to all other members.
    let every: Shape?
    /// Whether members stay that nothing is said of.
    let keepsOthers: Bool
    /// Whether the value itself is left out.
    let isOmitted: Bool
    /// The new name of the member with quotes and colon; nil for its own.
    let label: [UInt8]?
    /// Whether its members take the member's place.
    let isFlat: Bool
    let joins: [Join]
    /// What happens to the elements where the value is an array: names without a way mean members of an object, or of the
    /// objects in an array.
    let elements: Shape?
    /// What happens to some of the elements instead.
    let indexed: [Element]
    /// Whether names can meet in this object that nobody knows beforehand.
    let mayConflict: Bool
    /// How deep it looks.
    let depth: Int
    /// Whether an object stays as it is, but for what becomes of itself.
    let keepsMembers: Bool
    /// Whether the value stays as it is.
    let isPlain: Bool

    init(
        members: [Member], every: Shape?, keepsOthers: Bool, isOmitted: Bool, label: [UInt8]?, isFlat: Bool,
        joins: [Join], elements: Shape?, indexed: [Element] = []
    ) {
        self.members = members
        self.every = every
        self.keepsOthers = keepsOthers
        self.isOmitted = isOmitted
        self.label = label
        self.isFlat = isFlat
        self.joins = joins
        self.elements = elements
        self.indexed = indexed
        let inner = members.map(\.shape) + [every].compactMap { $0 }
        keepsMembers = inner.isEmpty && keepsOthers && joins.isEmpty
        isPlain = keepsMembers && !isOmitted && label == nil && !isFlat && elements == nil && indexed.isEmpty
        mayConflict = inner.contains { $0.isFlat || $0.label != nil }
        let looks = inner.map { $0.depth + 1 } + [keepsOthers && joins.isEmpty ? 0 : 1, isFlat ? 1 : 0]
        let inArrays = indexed.map(\.shape) + [elements].compactMap { $0 }
        depth = max(
            looks.max() ?? 0, joins.compactMap { $0.key?.count }.max() ?? 0, inArrays.map { $0.depth + 1 }.max() ?? 0)
    }

    /// What leaves everything as it is.
    static let plain = Shape(
        members: [], every: nil, keepsOthers: true, isOmitted: false, label: nil, isFlat: false, joins: [],
        elements: nil)

    /// The same for a value that is left out, unless it is asked for by its own place.
    func omitted() -> Shape {
        Shape(
            members: members, every: every, keepsOthers: keepsOthers, isOmitted: true, label: label, isFlat: isFlat,
            joins: joins, elements: elements, indexed: indexed)
    }

    /// What happens to the element of this number; nil where nothing is said of it.
    func element(_ index: Int) -> Shape? {
        for element in indexed where element.index == index { return element.shape }
        return elements
    }

    /// What happens to the member `node` of the scanned `text`; nil where nothing is said of it.
    func member(_ node: JSONNode, in text: Span<UInt8>) -> Shape? {
        for member in members where node.isNamed(member.name.span, in: text) { return member.shape }
        return every
    }

    /// The join that sets the member `node` of the scanned `text`, by its number.
    func join(of node: JSONNode, in text: Span<UInt8>) -> Int? {
        for (index, join) in joins.enumerated() where node.isNamed(join.name.span, in: text) { return index }
        return nil
    }
}
