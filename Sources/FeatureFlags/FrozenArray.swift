/// An array that is filled once and then only read, with one owner.
///
/// Unlike `Array` it carries no reference count of its own: what every worker reads on every request must not be
/// retained and released by all of them. Elements are plain bytes, so there is nothing to destroy one by one.
struct FrozenArray<Element: BitwiseCopyable & Sendable>: ~Copyable {
    private let base: UnsafeMutablePointer<Element>
    /// The number of elements.
    let count: Int

    init(_ elements: [Element]) {
        count = elements.count
        base = .allocate(capacity: max(elements.count, 1))
        for index in elements.indices {
            // SAFETY: room for all the elements was just made.
            (base + index).initialize(to: elements[index])
        }
    }

    deinit {
        base.deallocate()
    }

    /// The element at `index`, which is checked.
    subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count, "index out of range")
        // SAFETY: the index was just checked, and every element was initialised by init.
        return base[index]
    }

    /// All elements.
    var span: Span<Element> {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: the memory is initialised, lives as long as self, and nobody writes to it after init.
            let elements = UnsafeBufferPointer(start: base, count: count)
            return _overrideLifetime(Span(_unsafeElements: elements), borrowing: self)
        }
    }
}

// SAFETY: the memory is written by init alone, before anybody else can see it, and elements are Sendable.
extension FrozenArray: @unchecked Sendable {}
