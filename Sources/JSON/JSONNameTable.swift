import ByteBuffers

/// The member names of the objects that a scan has open, and the search for duplicates among them.
///
/// The names of an object lie side by side at the end when it closes. Few names are told apart by fingerprints, which
/// cost little and settle nearly every object. Where two are alike, and for more names, a hash table decides, so that the
/// cost stays linear. Its hashes are seeded: whoever writes the text cannot choose names that collide.
struct JSONNameTable: ~Copyable {
    struct Entry: BitwiseCopyable {
        /// The name with its quotes.
        var range: ByteRange
        /// The fingerprint of the name; once the names of the object are looked up, their seeded hash.
        var hash: UInt32
        var hasEscapes: Bool
    }

    /// Of so many names each is compared with those before it.
    static let fewNames = 32

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
    @inline(__always)
    mutating func append(_ range: ByteRange, hasEscapes: Bool, in text: Span<UInt8>) {
        let hash =
            hasEscapes
            ? decodedFingerprint(range, in: text)
            : text.fingerprint(from: Int(range.start) &+ 1, count: Int(range.count) &- 2)
        entries.append(Entry(range: range, hash: hash, hasEscapes: hasEscapes))
    }

    @inline(never)
    private mutating func decodedFingerprint(_ range: ByteRange, in text: Span<UInt8>) -> UInt32 {
        decode(range, in: text)
        return decoded.span.fingerprint(from: 0, count: decoded.count)
    }

    /// Ends the innermost object, whose names are those from `base` on, and adds each name that the object had before
    /// to `duplicates`; at most one unless `all` are wanted.
    mutating func close(from base: Int, in text: Span<UInt8>, all: Bool) {
        if entries.count - base > Self.fewNames || hasLikeNames(from: base) {
            lookEachUp(from: base, in: text, all: all)
        }
        entries.truncate(to: base)
    }

    /// Whether two names of the innermost object have the same fingerprint.
    private func hasLikeNames(from base: Int) -> Bool {
        // One bit for each name so far: while a name's bit is free, it need not be compared.
        var seen: UInt64 = 0
        var index = base
        while index < entries.count {
            let hash = entries[index].hash
            let bit: UInt64 = 1 << UInt64(hash >> 26)
            if seen & bit != 0 {
                for earlier in base..<index where entries[earlier].hash == hash { return true }
            }
            seen |= bit
            index += 1
        }
        return false
    }

    private mutating func lookEachUp(from base: Int, in text: Span<UInt8>, all: Bool) {
        prepareSlots(for: entries.count - base)
        for index in base..<entries.count { entries[index].hash = seededHash(of: entries[index], in: text) }
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

    private mutating func seededHash(of entry: Entry, in text: Span<UInt8>) -> UInt32 {
        if entry.hasEscapes {
            decode(entry.range, in: text)
            return UInt32(truncatingIfNeeded: decoded.span.hash64(seed: seed))
        }
        let name = text.extracting(unchecked: Int(entry.range.start) + 1..<entry.range.end - 1)
        return UInt32(truncatingIfNeeded: name.hash64(seed: seed))
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

extension Span where Element == UInt8 {
    /// A number made of the length, the first and the last eight of `count` bytes from `start`: the same for the same
    /// bytes, and seldom the same for others, unless somebody wants it to be.
    @inline(__always)
    fileprivate func fingerprint(from start: Int, count length: Int) -> UInt32 {
        let raw = bytes
        var word: UInt64
        if length >= 8 {
            // SAFETY: the name lies within the span and has eight bytes at least; every bit pattern is a UInt64.
            let first = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)
            // SAFETY: as above.
            let last = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ length &- 8, as: UInt64.self)
            word = UInt64(littleEndian: first) ^ (UInt64(littleEndian: last) &* 3)
        } else if start &+ 8 <= count {
            // SAFETY: eight bytes from start lie within the span, and every bit pattern is a UInt64.
            let first = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)
            word = UInt64(littleEndian: first) & ((1 &<< UInt64(truncatingIfNeeded: 8 &* length)) &- 1)
        } else {
            word = shortWord(from: start, count: length)
        }
        word ^= UInt64(truncatingIfNeeded: length) &<< 56
        return UInt32(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) &>> 32)
    }

    /// Less than eight bytes as a number, where the text ends too early to read eight.
    @inline(never)
    private func shortWord(from start: Int, count length: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<length { word |= UInt64(self[start + index]) << UInt64(8 * index) }
        return word
    }
}
