import ByteBuffers

/// A fixed map from an owner and a run of bytes to a number: open addressing in one array, built when a configuration is
/// read. Look-ups neither allocate nor depend on the number of entries.
///
/// The hash has no secret because nobody from outside adds entries: a request can at most choose the longest run of
/// occupied slots, and those stay short at a load of one half.
struct LiteralTable: Sendable {
    /// One entry. An empty slot has the value 0.
    private struct Slot {
        var hash: UInt32 = 0
        var owner: UInt32 = 0
        var bytes = ByteRange()
        var value: UInt32 = 0
    }

    private var slots: [Slot]
    private var bytes: [UInt8] = []
    /// The length of the longest run of bytes; a longer one is not looked up at all.
    private(set) var longest = 0

    /// A table of these entries; values are not 0 and no two entries have the same owner and bytes.
    init(_ entries: [(owner: UInt32, bytes: [UInt8], value: UInt32)]) {
        var capacity = 1
        while capacity < entries.count * 2 { capacity *= 2 }
        slots = Array(repeating: Slot(), count: capacity)
        for entry in entries {
            longest = max(longest, entry.bytes.count)
            let hash = Self.hash(entry.bytes.span)
            let range = ByteRange(start: bytes.count, count: entry.bytes.count)
            bytes += entry.bytes
            var index = Self.start(owner: entry.owner, hash: hash) & (capacity - 1)
            while slots[index].value != 0 { index = (index + 1) & (capacity - 1) }
            slots[index] = Slot(hash: hash, owner: entry.owner, bytes: range, value: entry.value)
        }
    }

    /// The value of `text` under `owner`, or 0. `hash` is that of `text`; where case is ignored, the entries are in lower
    /// case and the hash is that of the text in lower case.
    func value(
        owner: UInt32, hash: UInt32, text: borrowing Span<UInt8>, ignoringCase: Bool = false
    ) -> UInt32 {
        let slots = slots.span
        let mask = slots.count - 1
        var index = Self.start(owner: owner, hash: hash) & mask
        // At a load of one half there is an empty slot, so the walk ends.
        while slots[index].value != 0 {
            let slot = slots[index]
            if slot.hash == hash, slot.owner == owner {
                let entry = bytes.span.slice(slot.bytes)
                if ignoringCase ? entry.equalsIgnoringCase(text) : entry.equals(text) { return slot.value }
            }
            index = (index + 1) & mask
        }
        return 0
    }

    /// FNV-1a of 32 bits.
    static func hash(_ text: borrowing Span<UInt8>) -> UInt32 {
        var hash = emptyHash
        for index in text.indices { hash = extend(hash, text[index]) }
        return hash
    }

    /// The hash of no bytes.
    static let emptyHash: UInt32 = 2_166_136_261

    /// The hash of one byte more.
    static func extend(_ hash: UInt32, _ byte: UInt8) -> UInt32 { (hash ^ UInt32(byte)) &* 16_777_619 }

    private static func start(owner: UInt32, hash: UInt32) -> Int {
        let mixed = UInt64(hash ^ owner &* 0x9E37_79B9) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 33)
    }
}
