import ByteBuffers

/// A version as `sem_ver` reads it: Semantic Versioning 2.0.0 with a leading `v` or `V` allowed and missing parts taken
/// for 0. Holds ranges into the text that it was parsed from, so numbers of any length compare without overflow.
package struct SemanticVersion: Equatable, Sendable {
    private var major: ByteRange
    private var minor: ByteRange
    private var patch: ByteRange
    /// Without its leading hyphen; empty when there is none. Build metadata is checked and dropped (§10).
    private var prerelease: ByteRange

    /// The comparisons of `sem_ver`.
    package enum Relation: Sendable {
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
        /// `~`: the same major and minor.
        case sameMinor
        /// `^`: the same major, also for major 0.
        case sameMajor

        /// The relation written as `text`, or nil.
        package init?(_ text: Span<UInt8>) {
            if text.equals("=") {
                self = .equal
            } else if text.equals("!=") {
                self = .notEqual
            } else if text.equals("<") {
                self = .less
            } else if text.equals("<=") {
                self = .lessOrEqual
            } else if text.equals(">") {
                self = .greater
            } else if text.equals(">=") {
                self = .greaterOrEqual
            } else if text.equals("~") {
                self = .sameMinor
            } else if text.equals("^") {
                self = .sameMajor
            } else {
                return nil
            }
        }
    }

    /// The version that `text` is as a whole, or nil. A pre-release or build part needs all three numbers.
    package init?(_ text: Span<UInt8>) {
        var index = 0
        if text.count > 0, text[0].asciiLowercased == UInt8(ascii: "v") { index = 1 }
        guard let major = Self.number(in: text, at: &index) else { return nil }
        self.major = major
        minor = ByteRange()
        patch = ByteRange()
        prerelease = ByteRange()
        if index == text.count { return }
        guard Self.skip(UInt8(ascii: "."), in: text, at: &index), let minor = Self.number(in: text, at: &index) else {
            return nil
        }
        self.minor = minor
        if index == text.count { return }
        guard Self.skip(UInt8(ascii: "."), in: text, at: &index), let patch = Self.number(in: text, at: &index) else {
            return nil
        }
        self.patch = patch
        if Self.skip(UInt8(ascii: "-"), in: text, at: &index) {
            guard let identifiers = Self.identifiers(in: text, at: &index, leadingZerosAllowed: false) else {
                return nil
            }
            prerelease = identifiers
        }
        if Self.skip(UInt8(ascii: "+"), in: text, at: &index) {
            guard Self.identifiers(in: text, at: &index, leadingZerosAllowed: true) != nil else { return nil }
        }
        guard index == text.count else { return nil }
    }

    /// Whether the version `left`, read from `leftText`, stands in `relation` to `right`, read from `rightText`.
    package static func holds(
        _ relation: Relation, _ left: SemanticVersion, in leftText: Span<UInt8>, _ right: SemanticVersion,
        in rightText: Span<UInt8>
    ) -> Bool {
        let major = compareNumbers(leftText.slice(left.major), rightText.slice(right.major))
        if relation == .sameMajor { return major == 0 }
        let minor = major != 0 ? major : compareNumbers(leftText.slice(left.minor), rightText.slice(right.minor))
        if relation == .sameMinor { return minor == 0 }
        var order = minor != 0 ? minor : compareNumbers(leftText.slice(left.patch), rightText.slice(right.patch))
        if order == 0 {
            order = comparePrereleases(leftText.slice(left.prerelease), rightText.slice(right.prerelease))
        }
        switch relation {
        case .equal: return order == 0
        case .notEqual: return order != 0
        case .less: return order < 0
        case .lessOrEqual: return order <= 0
        case .greater: return order > 0
        case .greaterOrEqual: return order >= 0
        case .sameMinor, .sameMajor: return false
        }
    }

    // MARK: Reading

    private static func skip(_ byte: UInt8, in text: Span<UInt8>, at index: inout Int) -> Bool {
        guard index < text.count, text[index] == byte else { return false }
        index += 1
        return true
    }

    /// Digits without leading zeros (§2).
    private static func number(in text: Span<UInt8>, at index: inout Int) -> ByteRange? {
        let start = index
        while index < text.count, text[index].isDigit { index += 1 }
        guard index > start, index == start + 1 || text[start] != UInt8(ascii: "0") else { return nil }
        return ByteRange(start: start, count: index - start)
    }

    /// Identifiers of letters, digits and hyphens, joined by dots (§9, §10).
    private static func identifiers(
        in text: Span<UInt8>, at index: inout Int, leadingZerosAllowed: Bool
    ) -> ByteRange? {
        let start = index
        while true {
            let first = index
            var isNumber = true
            while index < text.count {
                let byte = text[index]
                let isLetter = byte.asciiLowercased &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "-")
                guard byte.isDigit || isLetter else { break }
                if isLetter { isNumber = false }
                index += 1
            }
            guard index > first else { return nil }
            if isNumber, !leadingZerosAllowed, index > first + 1, text[first] == UInt8(ascii: "0") { return nil }
            guard skip(UInt8(ascii: "."), in: text, at: &index) else { break }
        }
        return ByteRange(start: start, count: index - start)
    }

    // MARK: Comparing

    /// Numbers without leading zeros: the longer is the greater. A part that is not written is 0.
    private static func compareNumbers(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
        let leftIsZero = left.isEmpty || left.equals("0")
        let rightIsZero = right.isEmpty || right.equals("0")
        if leftIsZero || rightIsZero { return (leftIsZero ? 0 : 1) - (rightIsZero ? 0 : 1) }
        if left.count != right.count { return left.count < right.count ? -1 : 1 }
        return compareText(left, right)
    }

    private static func compareText(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
        for index in 0..<min(left.count, right.count) where left[index] != right[index] {
            return left[index] < right[index] ? -1 : 1
        }
        return left.count == right.count ? 0 : left.count < right.count ? -1 : 1
    }

    /// Semantic Versioning 2.0.0 §11: a pre-release sorts below its release, numbers below names, fewer identifiers
    /// below more.
    private static func comparePrereleases(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
        if left.isEmpty || right.isEmpty { return (left.isEmpty ? 1 : 0) - (right.isEmpty ? 1 : 0) }
        var leftIndex = 0
        var rightIndex = 0
        while leftIndex < left.count, rightIndex < right.count {
            let leftEnd = left.firstIndex(of: UInt8(ascii: "."), from: leftIndex) ?? left.count
            let rightEnd = right.firstIndex(of: UInt8(ascii: "."), from: rightIndex) ?? right.count
            let order = compareIdentifiers(
                left.extracting(leftIndex..<leftEnd), right.extracting(rightIndex..<rightEnd))
            if order != 0 { return order }
            leftIndex = leftEnd + 1
            rightIndex = rightEnd + 1
        }
        return (leftIndex < left.count ? 1 : 0) - (rightIndex < right.count ? 1 : 0)
    }

    private static func compareIdentifiers(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
        let leftIsNumber = isNumber(left)
        let rightIsNumber = isNumber(right)
        if leftIsNumber, rightIsNumber { return compareNumbers(left, right) }
        if leftIsNumber != rightIsNumber { return leftIsNumber ? -1 : 1 }
        return compareText(left, right)
    }

    private static func isNumber(_ identifier: Span<UInt8>) -> Bool {
        for index in 0..<identifier.count where !identifier[index].isDigit { return false }
        return true
    }
}

extension UInt8 {
    /// Whether the byte is an ASCII digit.
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
}
