package import ByteBuffers

/// One field: where its name and value stand in the bytes of its message.
package struct HeaderField: Equatable, Sendable {
    /// The name as received.
    package var name: ByteRange
    /// The value without the white space around it (RFC 9112 §5.1).
    package var value: ByteRange
    /// The name, if the gateway knows it.
    package var id: HeaderName

    package init(name: ByteRange, value: ByteRange, id: HeaderName) {
        self.name = name
        self.value = value
        self.id = id
    }
}

/// The fields of a message in the order of their arrival, duplicates included.
///
/// Its memory is kept when it empties, so that a block in use allocates only while it still grows.
package struct HeaderBlock: ~Copyable {
    /// Room for `capacity` fields, of which the first `count` are there.
    private var base: UnsafeMutablePointer<HeaderField>?
    private var capacity = 0
    private var present: UInt64 = 0

    /// The number of fields.
    package private(set) var count = 0

    package init() {}

    deinit { base?.deallocate() }

    /// The field at `index`, counted from 0.
    package subscript(index: Int) -> HeaderField {
        precondition(index >= 0 && index < count, "field index out of range")
        // SAFETY: the index was just checked against the fields that are there.
        return base.unsafelyUnwrapped[index]
    }

    /// Adds a field behind the others.
    package mutating func append(_ field: HeaderField) {
        if count == capacity { grow() }
        // SAFETY: there is room for one more field; fields own nothing, so that old memory need not be deinitialised.
        (base.unsafelyUnwrapped + count).initialize(to: field)
        count += 1
        present |= field.id.bit
    }

    private mutating func grow() {
        let room = Swift.max(capacity * 2, 16)
        let fresh = UnsafeMutablePointer<HeaderField>.allocate(capacity: room)
        if let base {
            // SAFETY: count fields are there, and the fresh memory has room for more than that.
            fresh.initialize(from: base, count: count)
            base.deallocate()
        }
        base = fresh
        capacity = room
    }

    /// Takes all fields away; the memory stays.
    package mutating func removeAll() {
        count = 0
        present = 0
    }

    /// Takes all fields away and gives the memory back: for a connection that falls idle.
    package mutating func releaseMemory() {
        base?.deallocate()
        base = nil
        capacity = 0
        removeAll()
    }

    /// Whether a field with this name is there. For every name, ``HeaderName/other`` included, one bit is looked at.
    package func contains(_ id: HeaderName) -> Bool { present & id.bit != 0 }

    /// The index of the first field with this name, or nil.
    package func first(_ id: HeaderName) -> Int? {
        contains(id) ? firstIndex(of: id, after: -1) : nil
    }

    /// The index of the first field with this name behind `index`, or nil.
    package func firstIndex(of id: HeaderName, after index: Int) -> Int? {
        var next = Swift.max(index, -1) + 1
        while next < count {
            if self[next].id == id { return next }
            next += 1
        }
        return nil
    }

    /// The index of the one field with this name, or nil if there is none or more than one.
    package func only(_ id: HeaderName) -> Int? {
        guard let index = first(id), firstIndex(of: id, after: index) == nil else { return nil }
        return index
    }
}

extension UInt8 {
    /// Whether it is a space or a tab: the optional white space of RFC 9110 §5.6.3.
    @inline(__always) var isBlank: Bool { self == 0x20 || self == 0x09 }
}
