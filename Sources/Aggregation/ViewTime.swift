/// How the time of a view is spent.
package enum ViewTime: Equatable {
    /// A part gets so many milliseconds of its own.
    case own(UInt64)
    /// A part gets what the view has left, which is so much.
    case shared(UInt64)
    /// Nothing is left that a part could use.
    case none

    /// What a call of a part gets that has `part` milliseconds left of its own time, in a view that has `left` for its parts.
    package init(part: UInt64, left: UInt64) {
        self = left == 0 || part == 0 ? .none : part < left ? .own(part) : .shared(left)
    }

    /// Of the time of a whole view the milliseconds for its parts: the rest is kept to put the view together and to send
    /// it, so that a client that waits as long as the view may take gets one.
    package static func forParts(of timeout: UInt64) -> UInt64 { timeout - min(50, timeout / 10) }
}
