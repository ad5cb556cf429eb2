import ByteBuffers

/// The member names of the objects that a scan has open, and the search for duplicates among them.
///
/// The names of an object lie side by side at the end when it closes. Up to 16 are compared pair by pair by hash; more
/// go through a hash table, so that the cost stays linear. The hashes are seeded: whoever writes the text cannot choose
/// names that collide.
struct JSONNameTable: ~Copyable {
    struct Entry: BitwiseCopyable {
        /// The name with its quotes.
        var range: ByteRange
        var hash: UInt32
        var hasEscapes: Bool
    }

    /// A name that its object had already; both ranges include the quotes.
    struct Duplicate: BitwiseCopyable {
        var first: ByteRange
        var name: ByteRange
    }

    private var entries = PlainList<Entry>()
    private var duplicates = PlainList<Duplicate>()
    /// In the upper half the stamp of the object that filled the slot (any other stamp: empty), in the lower half the
    /// number of the entry.
    private var slots = PlainList<UInt64>()
    private var stamp: UInt32 = 0
    private var decoded = ByteBuffer()
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
    }

    var count: Int { entries.count }

    /// The number of duplicates found so far.
    var duplicateCount: Int { duplicates.count }

    /// The duplicate at `index`.
    func duplicate(_ index: Int) -> Duplicate { duplicates[index] }

    mutating func removeAll(keeping names: Int = .max) {
        duplicates.removeAll(keeping: 16)
        entries.removeAll(keeping: names)
        if slots.count / 4 > names { slots.removeAll(keeping: 0) }
    }

    /// Adds the name of a member of the innermost open object. `range` includes the quotes.
    mutating func append(_ range: ByteRange, hasEscapes: Bool, in text: Span<UInt8>) {
        let hash: UInt32
        if hasEscapes {
            decode(range, in: text)
            hash = UInt32(truncatingIfNeeded: decoded.span.hash64(seed: seed))
        } else {
            let name = text.extracting(unchecked: Int(range.start) + 1..<range.end - 1)
            hash = UInt32(truncatingIfNeeded: name.hash64(seed: seed))
        }
        entries.append(Entry(range: range, hash: hash, hasEscapes: hasEscapes))
    }

    /// Ends the innermost object, whose names are those from `base` on, and adds each name that the object had before
    /// to `duplicates`; at most one unless `all` are wanted.
    mutating func close(from base: Int, in text: Span<UInt8>, all: Bool) {
        if entries.count - base <= 16 {
            compareEach(from: base, in: text, all: all)
        } else {
            lookEachUp(from: base, in: text, all: all)
        }
        entries.truncate(to: base)
    }

    private mutating func compareEach(from base: Int, in text: Span<UInt8>, all: Bool) {
        var index = base + 1
        while index < entries.count {
            let hash = entries[index].hash
            var earlier = base
            while earlier < index {
                if entries[earlier].hash == hash, sameName(earlier, index, in: text) {
                    duplicates.append(Duplicate(first: entries[earlier].range, name: entries[index].range))
                    if !all { return }
                    break
                }
                earlier += 1
            }
            index += 1
        }
    }

    private mutating func lookEachUp(from base: Int, in text: Span<UInt8>, all: Bool) {
        prepareSlots(for: entries.count - base)
        let mask = slots.count - 1
        var index = base
        while index < entries.count {
            let hash = entries[index].hash
            var slot = Int(hash) & mask
            var isNew = true
            while UInt32(truncatingIfNeeded: slots[slot] >> 32) == stamp {
                let earlier = Int(UInt32(truncatingIfNeeded: slots[slot]))
                if entries[earlier].hash == hash, sameName(earlier, index, in: text) {
                    duplicates.append(Duplicate(first: entries[earlier].range, name: entries[index].range))
                    if !all { return }
                    isNew = false
                    break
                }
                slot = (slot + 1) & mask
            }
            if isNew { slots[slot] = (UInt64(stamp) << 32) | UInt64(UInt32(truncatingIfNeeded: index)) }
            index += 1
        }
    }

    /// Makes the table at most half full with `count` names, and every slot of it empty.
    private mutating func prepareSlots(for count: Int) {
        if slots.count < count * 2 {
            var size = 64
            while size < count * 2 { size *= 2 }
            slots.removeAll()
            slots.append(repeating: 0, count: size)
            stamp = 0
        } else if stamp == .max {
            let size = slots.count
            slots.removeAll()
            slots.append(repeating: 0, count: size)
            stamp = 0
        }
        stamp += 1
    }

    /// Whether two entries are the same name once decoded.
    private mutating func sameName(_ left: Int, _ right: Int, in text: Span<UInt8>) -> Bool {
        let first = entries[left]
        let second = entries[right]
        if !first.hasEscapes, !second.hasEscapes { return text.slice(first.range).equals(text.slice(second.range)) }
        decode(first.range, in: text)
        return text.slice(second.range).jsonStringEquals(decoded.span)
    }

    private mutating func decode(_ range: ByteRange, in text: Span<UInt8>) {
        decoded.removeAll()
        decoded.appendDecodedJSONString(text.slice(range))
    }
}
