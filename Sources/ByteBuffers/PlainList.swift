/// A growable list of plain values with one owner.
///
/// What an array does besides (sharing, and the checks that sharing needs at every change) costs the most in lists that
/// are filled and emptied for each request. Emptying keeps the memory. Not thread-safe.
public struct PlainList<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<Element>?
    @usableFromInline var length: Int
    @usableFromInline var room: Int

    /// An empty list that owns no memory yet.
    @inlinable public init() {
        base = nil
        length = 0
        room = 0
    }

    @inlinable deinit {
        base?.deallocate()
    }

    /// The number of elements.
    @inlinable public var count: Int { length }

    /// Whether there is no element.
    @inlinable public var isEmpty: Bool { length == 0 }

    /// The number of elements that the list owns memory for.
    @inlinable public var capacity: Int { room }

    /// The element at `index`.
    @inlinable public subscript(index: Int) -> Element {
        unsafeAddress {
            precondition(index >= 0 && index < length, "index out of range")
            // SAFETY: the index was just checked against the elements, which are initialised.
            return UnsafePointer(base.unsafelyUnwrapped + index)
        }
        unsafeMutableAddress {
            precondition(index >= 0 && index < length, "index out of range")
            // SAFETY: the index was just checked against the elements, which are initialised.
            return base.unsafelyUnwrapped + index
        }
    }

    /// Lets `body` read the elements by pointer: for C.
    @inlinable public borrowing func withUnsafeBufferPointer<R, E: Error>(
        _ body: (UnsafeBufferPointer<Element>) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeBufferPointer(start: base, count: length))
    }

    /// Appends an element.
    @inlinable public mutating func append(_ element: Element) {
        if length == room { grow(to: length + 1) }
        // SAFETY: there is room for one element behind the last.
        (base.unsafelyUnwrapped + length).initialize(to: element)
        length += 1
    }

    /// Appends `number` times the same element.
    @inlinable public mutating func append(repeating element: Element, count number: Int) {
        precondition(number >= 0, "cannot append a negative number of elements")
        if room - length < number { grow(to: length + number) }
        guard number > 0 else { return }
        // SAFETY: there is room for as many elements behind the last.
        (base.unsafelyUnwrapped + length).initialize(repeating: element, count: number)
        length += number
    }

    /// Takes elements away from the end until `count` are left.
    @inlinable public mutating func truncate(to count: Int) {
        precondition(count >= 0, "cannot keep a negative number of elements")
        length = Swift.min(length, count)
    }

    /// Takes the element at `index` away; those behind it move up.
    @inlinable public mutating func remove(at index: Int) {
        precondition(index >= 0 && index < length, "index out of range")
        // SAFETY: the elements behind the index are initialised, and plain values may be moved over each other.
        let place = base.unsafelyUnwrapped + index
        place.update(from: place + 1, count: length - index - 1)
        length -= 1
    }

    /// Empties the list. Memory for more than `keeping` elements is given back.
    @inlinable public mutating func removeAll(keeping: Int = .max) {
        length = 0
        if room > keeping {
            base?.deallocate()
            base = nil
            room = 0
        }
    }

    @usableFromInline
    mutating func grow(to wanted: Int) {
        var size = Swift.max(room, 16)
        while size < wanted { size *= 2 }
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: size)
        if let base {
            // SAFETY: the old memory holds `length` elements, the new one has room for more.
            fresh.initialize(from: base, count: length)
            base.deallocate()
        }
        base = fresh
        room = size
    }
}
