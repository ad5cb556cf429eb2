import ByteBuffers

/// Names of fields that a route or the gateway takes away when a message is passed on, compiled once per configuration.
///
/// Names are compared in any case and with `_` equal to `-`, as the receiving servers compare them (RFC 3875 §4.1.18).
package struct FieldPolicy: Equatable, Sendable {
    /// The names in lower case, one behind the other.
    private var text: [UInt8] = []
    private var names: [Name] = []
    /// Which lengths occur, so that most fields are passed by with one test; lengths from 63 on share a bit.
    private var lengths: UInt64 = 0

    /// Whether names that it does not know pass.
    private var passesUnlisted = true

    private enum Kind: Equatable, Sendable { case identity, removed, passed }

    private struct Name: Equatable, Sendable {
        var range: ByteRange
        var kind: Kind
    }

    /// What becomes of a field that the policy has a say on.
    package enum Verdict: Equatable, Sendable {
        /// The policy does not know the name.
        case unknown
        /// It goes no further.
        case remove
        /// It is passed on, and `Connection` cannot take it away.
        case keep
        /// The policy lists what passes, and the name is none of these.
        case unlisted
    }

    /// A policy that takes nothing away.
    package init() {}

    /// A policy that takes these names away; they are field names, which the configuration has checked.
    ///
    /// - Parameters:
    ///   - identity: Names that tell who the user is: kept from a trusted peer in the very spelling of the
    ///     configuration, taken away otherwise.
    ///   - removed: Names that are always taken away: those that a route sets anew or removes.
    package init(identity: [String], removed: [String]) {
        for name in identity { insert(name, .identity) }
        for name in removed { insert(name, .removed) }
    }

    /// A policy by which, beside what tells who the user is, nothing passes but these names, in any case but in no
    /// spelling with `_` for `-`: a reader of the list must be able to rely on it.
    ///
    /// - Parameter removed: Names that do not pass though they stand among the others.
    package init(identity: [String], removed: [String], passed: [String]) {
        self.init(identity: identity, removed: removed)
        passesUnlisted = false
        for name in passed { insert(name, .passed) }
    }

    private mutating func insert(_ name: String, _ kind: Kind) {
        let bytes = name.utf8.map(\.asciiLowercased)
        if bytes.isEmpty { return }
        names.append(Name(range: ByteRange(start: text.count, count: bytes.count), kind: kind))
        text.append(contentsOf: bytes)
        lengths |= FieldPolicy.lengthBit(bytes.count)
    }

    private static func lengthBit(_ count: Int) -> UInt64 { 1 &<< UInt64(Swift.min(count, 63)) }

    /// What becomes of a field with this name. Where a name is listed twice, taking away wins.
    package func verdict(on name: Span<UInt8>, peerIsTrusted: Bool) -> Verdict {
        var verdict = passesUnlisted ? Verdict.unknown : .unlisted
        guard lengths & FieldPolicy.lengthBit(name.count) != 0 else { return verdict }
        let text = text.span
        for entry in names where Int(entry.range.count) == name.count {
            let known = text.slice(entry.range)
            guard name.equalsFoldingUnderscores(known) else { continue }
            let isExact = name.equalsIgnoringCase(known)
            switch entry.kind {
            case .passed: if isExact, verdict == .unlisted { verdict = .unknown }
            case .identity where peerIsTrusted && isExact: verdict = .keep
            case .identity, .removed: return .remove
            }
        }
        return verdict
    }
}

extension Span where Element == UInt8 {
    /// Whether two field names are the same to a reader that does not tell `_` from `-`, in any case.
    fileprivate func equalsFoldingUnderscores(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count
        where self[unchecked: index].foldedForNames != other[unchecked: index].foldedForNames { return false }
        return true
    }
}
