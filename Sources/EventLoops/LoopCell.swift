/// A value that one object owns and changes in place on one event loop, without the check at run time that no two uses of
/// it overlap: for what every request touches many times over. Builds without optimisation do check.
///
/// Where an object keeps such a cell as `let`, using it is reading and writing memory. At a stored `var` every use that the
/// compiler cannot see through costs two calls into the runtime.
public struct LoopCell<Value: ~Copyable>: ~Copyable {
    @usableFromInline let place: UnsafeMutablePointer<Slot>

    @usableFromInline struct Slot: ~Copyable {
        @usableFromInline var value: Value
        /// How many read it at this time; -1 while somebody changes it. Builds for tests count.
        @usableFromInline var uses: Int32 = 0

        @usableFromInline init(_ value: consuming Value) { self.value = value }
    }

    /// A cell with this value.
    public init(_ value: consuming Value) {
        place = .allocate(capacity: 1)
        place.initialize(to: Slot(value))
    }

    deinit {
        place.deinitialize(count: 1)
        place.deallocate()
    }

    /// The value. Nobody may use it while it is being changed; what is changed has to be let go of before others are called
    /// who may look at it.
    public var value: Value {
        @inlinable @inline(__always)
        _read {
            assert(beginReading(), "the value is being changed")
            defer { assert(endReading()) }
            // SAFETY: the memory is this cell's own and lives as long; one event loop uses it, and never while it is changed,
            // which is what builds for tests check.
            yield place.pointee.value
        }
        @inlinable @inline(__always)
        nonmutating _modify {
            assert(beginChanging(), "the value is in use")
            defer { assert(endChanging()) }
            // SAFETY: as above.
            yield &place.pointee.value
        }
    }

    /// Lets `body` use the value, which nobody else may use until it returns.
    @inlinable @inline(__always)
    public borrowing func use<R: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        try body(&value)
    }

    /// Whether nobody changes the value, who reads it from now on.
    @usableFromInline func beginReading() -> Bool {
        guard place.pointee.uses >= 0 else { return false }
        place.pointee.uses += 1
        return true
    }

    @usableFromInline func endReading() -> Bool {
        place.pointee.uses -= 1
        return true
    }

    /// Whether nobody uses the value, who changes it from now on.
    @usableFromInline func beginChanging() -> Bool {
        guard place.pointee.uses == 0 else { return false }
        place.pointee.uses = -1
        return true
    }

    @usableFromInline func endChanging() -> Bool {
        place.pointee.uses = 0
        return true
    }
}
