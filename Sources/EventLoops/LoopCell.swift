/// A value that one object owns and changes in place on one event loop, without the check at run time that no two uses of
/// it overlap: for what every request touches many times over. Builds without optimisation do check.
///
/// Where an object keeps such a cell as `let`, using it is reading and writing memory. At a stored `var` every use that the
/// compiler cannot see through costs two calls into the runtime.
public struct LoopCell<Value: ~Copyable>: ~Copyable {
    @usableFromInline let place: UnsafeMutablePointer<Value>
    @usableFromInline let isUsed: UnsafeMutablePointer<Bool>

    /// A cell with this value.
    public init(_ value: consuming Value) {
        place = .allocate(capacity: 1)
        place.initialize(to: value)
        isUsed = .allocate(capacity: 1)
        isUsed.initialize(to: false)
    }

    deinit {
        place.deinitialize(count: 1)
        place.deallocate()
        isUsed.deallocate()
    }

    /// Lets `body` use the value, which nobody else may use until it returns.
    @inlinable @inline(__always)
    public borrowing func use<R: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        assert(enter(), "the value is in use")
        defer { assert(leave()) }
        // SAFETY: the memory is this cell's own and lives as long; one event loop uses it, and never from inside of `body`,
        // which is what builds for tests check.
        return try body(&place.pointee)
    }

    /// Whether nobody used the value up to now.
    @usableFromInline func enter() -> Bool {
        defer { isUsed.pointee = true }
        return !isUsed.pointee
    }

    @usableFromInline func leave() -> Bool {
        isUsed.pointee = false
        return true
    }
}
