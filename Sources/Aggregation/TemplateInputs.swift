import ByteBuffers

/// What the templates of a route need of the client's request, each thing once and with a number: its slot.
package struct TemplateInputTable: Sendable {
    /// Where an input comes from.
    package enum Source: Hashable, Sendable {
        /// The segment that the path's parameter with this number captured.
        case segment(Int)
        /// The rest of the path, captured by the parameter with this number (`{name...}`).
        case rest(Int)
        /// A parameter of the query; its name, decoded, is `name(slot)`.
        case query
        /// A header field; its name, in lower case, is `name(slot)`.
        case header
        /// The user whom the gateway has identified.
        case user
    }

    private var sources: [Source] = []
    private var names: [UInt8] = []
    private var ranges: [ByteRange] = []

    package init() {}

    /// The number of slots.
    package var count: Int { sources.count }

    /// Where the input of `slot` comes from.
    package func source(_ slot: Int) -> Source { sources[slot] }

    /// The name of a query parameter or header field, empty for other sources.
    @_lifetime(borrow self)
    package borrowing func name(_ slot: Int) -> Span<UInt8> {
        _overrideLifetime(names.span.slice(ranges[slot]), borrowing: self)
    }

    /// The slot of this input, which is new where nothing has asked for it yet.
    mutating func slot(for source: Source, named name: String = "") -> Int {
        let bytes = Array(name.utf8)
        for slot in sources.indices where sources[slot] == source && self.name(slot).equals(bytes.span) { return slot }
        sources.append(source)
        ranges.append(ByteRange(start: names.count, count: bytes.count))
        names += bytes
        return sources.count - 1
    }
}

/// The inputs of one request, copied out of it once; reused for the next one.
///
/// `prepare` comes first, then the values; a slot that is not set is missing.
package struct TemplateInputs: ~Copyable {
    private struct Slot: BitwiseCopyable {
        var range = ByteRange()
        var isPresent = false
    }

    private var bytes = ByteBuffer()
    private var slots = PlainList<Slot>()
    /// The body, for templates that take values of it.
    package var body: ClientBody

    /// Inputs without a value. `hashSeed` is a random number, for the names in a body.
    package init(hashSeed: UInt64 = 0) { body = ClientBody(hashSeed: hashSeed) }

    /// Makes every slot of `table` missing. The body stays.
    package mutating func prepare(for table: borrowing TemplateInputTable) {
        bytes.removeAll(keeping: 64 * 1024)
        slots.removeAll()
        slots.append(repeating: Slot(), count: table.count)
    }

    /// Sets a slot to a value that means what it says: a header field, the user.
    package mutating func set(_ slot: Int, to value: Span<UInt8>) {
        let start = bytes.count
        bytes.append(value)
        finish(slot, from: start)
    }

    /// Sets a slot to what the path's parameter captured, as the normalised path has it. A segment is decoded, and
    /// encoded anew where it is used; the rest of a path keeps its form and its slashes.
    package mutating func setCapture(_ slot: Int, to captured: Span<UInt8>, isRest: Bool) {
        if isRest { return set(slot, to: captured) }
        let start = bytes.count
        bytes.appendPercentDecoded(captured)
        finish(slot, from: start)
    }

    /// Sets the slots that name parameters of `query` (without its `?`): of several of one name the first counts.
    package mutating func setQuery(_ query: Span<UInt8>, from table: borrowing TemplateInputTable) {
        var position = 0
        while position < query.count {
            let end = query.firstIndex(of: UInt8(ascii: "&"), from: position) ?? query.count
            let pair = query.extracting(position..<end)
            position = end + 1
            let nameEnd = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.count
            let start = bytes.count
            bytes.appendPercentDecoded(pair.extracting(0..<nameEnd), plusIsSpace: true)
            let slot = missingQuerySlot(named: ByteRange(start: start, count: bytes.count - start), in: table)
            bytes.truncate(to: start)
            guard let slot else { continue }
            if nameEnd < pair.count {
                bytes.appendPercentDecoded(pair.extracting((nameEnd + 1)..<pair.count), plusIsSpace: true)
            }
            finish(slot, from: start)
        }
    }

    /// Whether the slot has a value.
    func has(_ slot: Int) -> Bool { slot < slots.count && slots[slot].isPresent }

    /// The value of a slot, empty where it is missing.
    @_lifetime(borrow self)
    borrowing func value(_ slot: Int) -> Span<UInt8> {
        bytes.span(slot < slots.count ? slots[slot].range : ByteRange())
    }

    private func missingQuerySlot(named name: ByteRange, in table: borrowing TemplateInputTable) -> Int? {
        for slot in 0..<slots.count where !slots[slot].isPresent && table.source(slot) == .query {
            if table.name(slot).equals(bytes.span(name)) { return slot }
        }
        return nil
    }

    private mutating func finish(_ slot: Int, from start: Int) {
        guard slot < slots.count else { return }
        slots[slot] = Slot(range: ByteRange(start: start, count: bytes.count - start), isPresent: true)
    }
}
