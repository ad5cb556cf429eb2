/// A growable run of bytes with one owner: append at the end, take from the front.
///
/// Storage is kept when the buffer empties, so a buffer that is reused allocates only while it still grows.
/// Indices count from the first readable byte. Not thread-safe: it belongs to one event loop at a time.
public struct ByteBuffer: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var capacityInBytes: Int
    @usableFromInline var head: Int
    @usableFromInline var tail: Int

    /// An empty buffer that owns no memory yet.
    @inlinable public init() {
        base = nil
        capacityInBytes = 0
        head = 0
        tail = 0
    }

    /// An empty buffer with room for at least `capacity` bytes.
    @inlinable public init(capacity: Int) {
        self.init()
        reserve(capacity)
    }

    @inlinable deinit {
        base?.deallocate()
    }

    /// The number of readable bytes.
    @inlinable public var count: Int { tail - head }

    /// Whether nothing is readable.
    @inlinable public var isEmpty: Bool { tail == head }

    /// The bytes that the buffer owns in memory, readable or not.
    @inlinable public var capacity: Int { capacityInBytes }

    /// The readable bytes.
    @inlinable public var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: head..<tail is initialised memory of this buffer, and the span cannot outlive the borrow.
            let bytes = UnsafeBufferPointer(
                start: base.map { ($0 + head).assumingMemoryBound(to: UInt8.self) }, count: tail - head)
            return _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
        }
    }

    /// The readable bytes of `range`, which is clamped to what is there.
    @inlinable
    @_lifetime(borrow self)
    public borrowing func span(_ range: ByteRange) -> Span<UInt8> {
        let readable = tail - head
        let start = Swift.min(Int(range.start), readable)
        let length = Swift.min(Int(range.count), readable - start)
        // SAFETY: start and length were just clamped to the readable bytes, and the span cannot outlive the borrow.
        let bytes = UnsafeBufferPointer(
            start: base.map { ($0 + (head + start)).assumingMemoryBound(to: UInt8.self) }, count: length)
        return _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
    }

    /// The byte at `index`, counted from the first readable one.
    @inlinable public subscript(index: Int) -> UInt8 {
        get {
            precondition(index >= 0 && index < tail - head, "byte index out of range")
            // SAFETY: the index was just checked against the readable bytes.
            return base.unsafelyUnwrapped.load(fromByteOffset: head + index, as: UInt8.self)
        }
        set {
            precondition(index >= 0 && index < tail - head, "byte index out of range")
            // SAFETY: the index was just checked against the readable bytes.
            base.unsafelyUnwrapped.storeBytes(of: newValue, toByteOffset: head + index, as: UInt8.self)
        }
    }

    /// Makes room for `additional` more bytes after the readable ones.
    @inlinable public mutating func reserve(_ additional: Int) {
        if capacityInBytes - tail < additional { makeRoom(additional) }
    }

    /// Moves the readable bytes to the front, into more memory where that is not enough.
    @usableFromInline
    mutating func makeRoom(_ additional: Int) {
        let readable = tail - head
        let needed = readable + additional
        if needed <= capacityInBytes, head >= capacityInBytes / 2 {
            // SAFETY: both ranges lie in this buffer's memory; memmove allows them to overlap.
            if let base, readable > 0 { base.copyMemory(from: base + head, byteCount: readable) }
        } else {
            var size = Swift.max(capacityInBytes, 64)
            while size < needed { size *= 2 }
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
            if let base {
                fresh.copyMemory(from: base + head, byteCount: readable)
                base.deallocate()
            }
            base = fresh
            capacityInBytes = size
        }
        head = 0
        tail = readable
    }

    /// Appends one byte.
    @inlinable public mutating func append(_ byte: UInt8) {
        reserve(1)
        // SAFETY: reserve made room for one byte at tail.
        base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
        tail += 1
    }

    /// Appends the `count` lowest bytes of `word`, at most eight, the lowest first. Always inlined: a call costs more than
    /// the store.
    @inlinable @inline(__always) public mutating func append(lowestOf word: UInt64, count: Int) {
        precondition(count >= 0 && count <= 8, "a word has eight bytes")
        reserve(8)
        // SAFETY: reserve made room for eight bytes at tail; those beyond `count` are not readable.
        base.unsafelyUnwrapped.storeBytes(of: word.littleEndian, toByteOffset: tail, as: UInt64.self)
        tail += count
    }

    /// Appends a copy of `bytes`.
    @inlinable public mutating func append(_ bytes: Span<UInt8>) {
        let length = bytes.count
        if length == 0 { return }
        reserve(length)
        let target = base.unsafelyUnwrapped + tail
        bytes.withUnsafeBytes { source in
            // SAFETY: reserve made room for length bytes at tail, and a source span never aliases a buffer under mutation.
            Self.copy(length, from: source.baseAddress.unsafelyUnwrapped, to: target)
        }
        tail += length
    }

    /// Copies `count` bytes, of which there are some, between places that do not overlap. Most runs of bytes are short: two
    /// loads and two stores, which may overlap each other, are less than a call.
    @inlinable @inline(__always)
    static func copy(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        // SAFETY: every load and store below lies within the `count` bytes of source and target.
        if count > 32 {
            target.copyMemory(from: source, byteCount: count)
        } else if count >= 16 {
            let last = (source + (count - 16)).loadUnaligned(as: SIMD2<UInt64>.self)
            target.storeBytes(of: source.loadUnaligned(as: SIMD2<UInt64>.self), as: SIMD2<UInt64>.self)
            target.storeBytes(of: last, toByteOffset: count - 16, as: SIMD2<UInt64>.self)
        } else if count >= 8 {
            let last = (source + (count - 8)).loadUnaligned(as: UInt64.self)
            target.storeBytes(of: source.loadUnaligned(as: UInt64.self), as: UInt64.self)
            target.storeBytes(of: last, toByteOffset: count - 8, as: UInt64.self)
        } else if count >= 4 {
            let last = (source + (count - 4)).loadUnaligned(as: UInt32.self)
            target.storeBytes(of: source.loadUnaligned(as: UInt32.self), as: UInt32.self)
            target.storeBytes(of: last, toByteOffset: count - 4, as: UInt32.self)
        } else {
            let middle = count >> 1
            target.storeBytes(of: source.load(as: UInt8.self), as: UInt8.self)
            target.storeBytes(
                of: source.load(fromByteOffset: middle, as: UInt8.self), toByteOffset: middle, as: UInt8.self)
            target.storeBytes(
                of: source.load(fromByteOffset: count - 1, as: UInt8.self), toByteOffset: count - 1, as: UInt8.self)
        }
    }

    /// Appends a copy of `bytes`.
    @inlinable public mutating func append(_ bytes: [UInt8]) { append(bytes.span) }

    /// Appends the characters of a literal. Always inlined: where the length is known, the copy becomes a few stores.
    @inlinable @inline(__always) public mutating func append(_ literal: StaticString) {
        let length = literal.utf8CodeUnitCount
        if length == 0 { return }
        reserve(length)
        // SAFETY: a static string that has a pointer representation lives for ever; reserve made room for its bytes.
        Self.copy(length, from: literal.utf8Start, to: base.unsafelyUnwrapped + tail)
        tail += length
    }

    /// Appends the UTF-8 form of `text`: for the control plane, not for the way of a request. A literal is never taken as
    /// such a text, but as a static string.
    @_disfavoredOverload
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            guard let start = utf8.baseAddress, !utf8.isEmpty else { return }
            reserve(utf8.count)
            // SAFETY: reserve made room for the bytes, which cannot alias this buffer.
            (base.unsafelyUnwrapped + tail).copyMemory(from: start, byteCount: utf8.count)
            tail += utf8.count
        }
    }

    /// Appends the readable bytes of `range`, clamped to what is there, to another buffer.
    @inlinable public borrowing func copy(_ range: ByteRange, to target: inout ByteBuffer) {
        target.append(span(range))
    }

    /// Appends a copy of this buffer's own readable bytes in `range`, clamped to what is there.
    @inlinable public mutating func appendOwn(_ range: ByteRange) {
        let readable = tail - head
        let start = Swift.min(Int(range.start), readable)
        let length = Swift.min(Int(range.count), readable - start)
        reserve(length)
        guard length > 0 else { return }
        let base = base.unsafelyUnwrapped
        // SAFETY: the source is readable memory of this buffer, the target lies behind it, reserve made room.
        (base + tail).copyMemory(from: base + head + start, byteCount: length)
        tail += length
    }

    /// Lets `fill` write into at least `minimum` free bytes after the readable ones; it returns how many it wrote.
    @inlinable public mutating func write<E: Error>(
        minimum: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) -> Int {
        reserve(minimum)
        let free = UnsafeMutableRawBufferPointer(start: base.map { $0 + tail }, count: capacityInBytes - tail)
        let written = try fill(free)
        precondition(written >= 0 && written <= free.count, "wrote past the buffer's end")
        tail += written
        return written
    }

    /// Lets `body` read the readable bytes by pointer: for system calls and C.
    @inlinable public borrowing func withUnsafeBytes<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + head) }, count: tail - head))
    }

    /// Lets `body` change the readable bytes in place.
    @inlinable public mutating func withUnsafeMutableBytes<R, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeMutableRawBufferPointer(start: base.map { $0 + head }, count: tail - head))
    }

    /// Takes `length` bytes away from the front, at most all.
    @inlinable public mutating func removeFirst(_ length: Int) {
        precondition(length >= 0, "cannot take away a negative number of bytes")
        head += Swift.min(length, tail - head)
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Cuts the readable bytes down to `length`, taking away from the end.
    @inlinable public mutating func truncate(to length: Int) {
        precondition(length >= 0, "cannot keep a negative number of bytes")
        tail = head + Swift.min(length, tail - head)
    }

    /// Empties the buffer. Memory above `keeping` bytes is given back.
    @inlinable public mutating func removeAll(keeping: Int = .max) {
        head = 0
        tail = 0
        if capacityInBytes > keeping {
            base?.deallocate()
            base = nil
            capacityInBytes = 0
        }
    }
}
