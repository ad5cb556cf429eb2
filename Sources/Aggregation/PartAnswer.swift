import ByteBuffers
import JSON

/// What a part's upstream answered; reused for the next view.
struct PartAnswer: ~Copyable {
    /// The body, as it comes in.
    var body = ByteBuffer()
    /// The body's structure, once it is whole.
    var index: JSONIndex
    /// What goes into the view: what `pick` leads to.
    var value: JSONNodeID?
    var freshness = Freshness()
    /// The `Vary` fields of the answer, joined by commas.
    var vary = ByteBuffer()

    init(hashSeed: UInt64) {
        index = JSONIndex(seed: hashSeed)
    }

    /// Forgets the answer, and gives back the memory of an uncommonly large one.
    mutating func reset() {
        body.removeAll(keeping: 64 * 1024)
        vary.removeAll(keeping: 4096)
        index.removeAll(keepingNodes: 4096)
        freshness = Freshness()
        value = nil
    }

    /// The value at `pointer`, or nil.
    borrowing func find(_ pointer: borrowing CompiledPointer) -> JSONNode? {
        index.find(pointer, in: body.span).map { index[$0] }
    }

    /// Appends the bytes of a value as they were received.
    borrowing func appendBytes(of node: JSONNode, to output: inout ByteBuffer) {
        output.append(body.span(node.range))
    }

    /// Appends the text of a string, number or boolean; false for other values, which have none.
    borrowing func appendText(of node: JSONNode, to output: inout ByteBuffer) -> Bool {
        switch node.kind {
        case .string where node.hasEscapes:
            output.appendDecodedJSONString(body.span(node.range))
        case .string:
            output.append(body.span(ByteRange(start: Int(node.range.start) + 1, count: Int(node.range.count) - 2)))
        case .number, .true, .false:
            output.append(body.span(node.range))
        case .null, .object, .array:
            return false
        }
        return true
    }
}

/// The answers of the parts of a view by their numbers: memory is made once and reused by views of as many parts.
struct PartAnswers: ~Copyable {
    private var base: UnsafeMutablePointer<PartAnswer>?
    private(set) var count = 0

    init() {}

    deinit {
        // SAFETY: exactly the first `count` answers are initialised, and base came from allocate.
        base?.deinitialize(count: count)
        base?.deallocate()
    }

    /// Makes sure of `wanted` answers at least.
    mutating func grow(to wanted: Int, hashSeed: UInt64) {
        guard wanted > count else { return }
        let fresh = UnsafeMutablePointer<PartAnswer>.allocate(capacity: wanted)
        if let base {
            // SAFETY: the old memory holds `count` initialised answers, the new one has room for more.
            fresh.moveInitialize(from: base, count: count)
            base.deallocate()
        }
        // SAFETY: the places from `count` on lie within the new memory and are not initialised.
        for index in count..<wanted { (fresh + index).initialize(to: PartAnswer(hashSeed: hashSeed)) }
        base = fresh
        count = wanted
    }

    /// Gives back the memory of answers beyond `kept`.
    mutating func shrink(to kept: Int) {
        guard count > kept, let base else { return }
        // SAFETY: the answers from `kept` to `count` are initialised, and no longer counted afterwards.
        (base + kept).deinitialize(count: count - kept)
        count = kept
    }

    subscript(index: Int) -> PartAnswer {
        unsafeAddress {
            precondition(index >= 0 && index < count, "part out of range")
            // SAFETY: the index was just checked against the initialised answers.
            return UnsafePointer(base.unsafelyUnwrapped + index)
        }
        unsafeMutableAddress {
            precondition(index >= 0 && index < count, "part out of range")
            // SAFETY: the index was just checked against the initialised answers.
            return base.unsafelyUnwrapped + index
        }
    }
}
