package import ByteBuffers

/// The structure of one JSON text as byte ranges into it: what the aggregator looks values up with and splices by.
///
/// `scan` accepts exactly the texts of RFC 8259 that are valid UTF-8, without a byte order mark, without duplicate
/// names and within the limits; numbers are not converted, whatever their size. Each value of the text becomes one
/// node in a flat array, parents before children. The index does not hold the text: look-ups take the same bytes
/// that were scanned. Memory is kept between scans, so an index that is reused allocates only while it still grows.
package struct JSONIndex: ~Copyable {
    /// What the scanner does with a name that its object has already.
    package enum DuplicateNames: Sendable {
        /// The text is refused.
        case refused
        /// The text is accepted and every such name recorded.
        case recorded
    }

    /// Bounds of a scan.
    package struct Limits: Sendable {
        /// How deep arrays and objects may nest; 1 is a single array or object.
        package var depth: Int
        /// How deep nodes are kept: 0 keeps the top value alone, 1 its members or elements too. What lies deeper is
        /// checked just as strictly but takes no memory.
        package var indexedDepth: Int
        /// The greatest number of nodes kept.
        package var nodes: Int

        package init(depth: Int = 128, indexedDepth: Int = .max, nodes: Int = 1 << 20) {
            self.depth = depth
            self.indexedDepth = indexedDepth
            self.nodes = nodes
        }
    }

    var nodes = PlainList<JSONNode>()
    var open = PlainList<OpenContainer>()
    var names: JSONNameTable

    /// An empty index. `seed` makes the hashes of member names unpredictable for whoever writes the texts.
    package init(seed: UInt64) {
        names = JSONNameTable(seed: seed)
    }

    /// The number of nodes.
    package var count: Int { nodes.count }

    /// The top value; nil before the first scan and after one that failed.
    package var root: JSONNodeID? { nodes.isEmpty ? nil : JSONNodeID(rawValue: 0) }

    /// The node of `id`.
    package subscript(id: JSONNodeID) -> JSONNode { nodes[Int(id.rawValue)] }

    /// Forgets the text. Memory for more than `keepingNodes` nodes is given back.
    package mutating func removeAll(keepingNodes: Int = 1 << 14) {
        nodes.removeAll(keeping: keepingNodes)
        names.removeAll(keeping: keepingNodes)
    }

    // MARK: Looking up

    /// The first member or element; nil for an empty one, for a scalar, and where children were not kept.
    package func firstChild(of id: JSONNodeID) -> JSONNodeID? {
        self[id].hasIndexedChildren ? JSONNodeID(rawValue: id.rawValue + 1) : nil
    }

    /// The member or element behind `id` in the same object or array.
    package func next(after id: JSONNodeID) -> JSONNodeID? {
        let next = self[id].next
        return next == 0 ? nil : JSONNodeID(rawValue: next)
    }

    /// The member of the object `id` whose name, decoded, is `name`. `text` is what was scanned.
    package func member(_ name: Span<UInt8>, of id: JSONNodeID, in text: Span<UInt8>) -> JSONNodeID? {
        guard self[id].kind == .object else { return nil }
        var child = firstChild(of: id)
        while let current = child {
            if nodes[Int(current.rawValue)].isNamed(name, in: text) { return current }
            child = next(after: current)
        }
        return nil
    }

    /// The element of the array `id` at `index`, counted from 0.
    package func element(_ index: Int, of id: JSONNodeID) -> JSONNodeID? {
        guard index >= 0, self[id].kind == .array else { return nil }
        var child = firstChild(of: id)
        var left = index
        while let current = child, left > 0 {
            child = next(after: current)
            left -= 1
        }
        return child
    }

    /// What `pointer` leads to from `id`, or nil. `text` is what was scanned.
    package func find(
        _ pointer: borrowing CompiledPointer, from id: JSONNodeID, in text: Span<UInt8>
    ) -> JSONNodeID? {
        var place = id
        for index in 0..<pointer.count {
            let found =
                switch self[place].kind {
                case .object: member(pointer.name(index), of: place, in: text)
                case .array: pointer.arrayIndex(index).flatMap { element($0, of: place) }
                default: JSONNodeID?.none
                }
            guard let found else { return nil }
            place = found
        }
        return place
    }

    /// What `pointer` leads to from the top, or nil. `text` is what was scanned.
    package func find(_ pointer: borrowing CompiledPointer, in text: Span<UInt8>) -> JSONNodeID? {
        guard let root else { return nil }
        return find(pointer, from: root, in: text)
    }
}

/// The number of a node of a `JSONIndex`; it means something only until the next scan.
package struct JSONNodeID: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

/// The kinds of JSON values.
package enum JSONKind: UInt8, Sendable, BitwiseCopyable {
    case object, array, string, number, `true`, `false`, null
}

/// One value of a scanned text.
package struct JSONNode: Sendable, BitwiseCopyable {
    /// The bytes of the value: a string with its quotes, an object or array with its brackets.
    package var range: ByteRange
    /// The name of a member with its quotes; empty for elements and for the top value.
    package var name: ByteRange
    /// The number of the next sibling, 0 for the last.
    var next: UInt32 = 0
    package var kind: JSONKind
    /// Whether the value is a string with at least one escape.
    package var hasEscapes = false
    /// Whether the name has at least one escape.
    package var nameHasEscapes: Bool
    /// Whether the next node of the index is the first child of this one.
    var hasIndexedChildren = false

    init(kind: JSONKind, start: Int, name: ByteRange, nameHasEscapes: Bool) {
        range = ByteRange(start: start, count: 0)
        self.kind = kind
        self.name = name
        self.nameHasEscapes = nameHasEscapes
    }

    /// Whether the decoded name of this member is `name`.
    package func isNamed(_ name: Span<UInt8>, in text: Span<UInt8>) -> Bool {
        if self.name.isEmpty { return false }
        if nameHasEscapes { return text.slice(self.name).jsonStringEquals(name) }
        return Int(self.name.count) - 2 == name.count
            && text.slice(ByteRange(start: Int(self.name.start) + 1, count: name.count)).equals(name)
    }
}
