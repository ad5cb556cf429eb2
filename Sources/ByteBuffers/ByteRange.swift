/// A place in a run of bytes: where it begins and how long it is. Eight bytes, cheap to keep by the hundred.
///
/// Offsets fit 32 bits because every buffer that ranges point into is bounded far below 4 GiB; larger values saturate,
/// and readers clamp, so that a wrong range reads too little and never too much.
public struct ByteRange: BitwiseCopyable, Equatable, Hashable, Sendable {
    /// Offset of the first byte.
    public var start: UInt32
    /// Number of bytes.
    public var count: UInt32

    /// The empty range at the beginning.
    @inlinable public init() {
        start = 0
        count = 0
    }

    /// The range of `count` bytes from `start`; values outside 0...UInt32.max are clamped.
    @inlinable public init(start: Int, count: Int) {
        self.start = UInt32(clamping: start)
        self.count = UInt32(clamping: count)
    }

    /// The offset behind the last byte.
    @inlinable public var end: Int { Int(start) + Int(count) }

    /// Whether it holds no byte.
    @inlinable public var isEmpty: Bool { count == 0 }
}
