/// A number for each kind of something.
package struct KindCounts<Kind: CaseIterable & RawRepresentable<UInt8> & Sendable>: Equatable, Sendable {
    private var counts = [UInt64](repeating: 0, count: Kind.allCases.count)

    /// Nothing of any kind.
    init() {}

    /// The number of this kind.
    package internal(set) subscript(kind: Kind) -> UInt64 {
        get { counts[Int(kind.rawValue)] }
        set { counts[Int(kind.rawValue)] = newValue }
    }

    static func += (left: inout KindCounts, right: KindCounts) {
        for kind in Kind.allCases { left[kind] += right[kind] }
    }
}
