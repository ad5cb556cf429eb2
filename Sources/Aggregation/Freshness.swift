import ByteBuffers

/// What `Cache-Control`, `Age` and `Expires` say of how long an answer may be kept (RFC 9111 §5).
///
/// Directives that loosen the rules (`immutable`, `stale-while-revalidate`, `stale-if-error`) and unknown ones are left
/// out of a view: no single part can promise them for the whole.
struct Freshness: Equatable {
    struct Directives: OptionSet {
        let rawValue: UInt8
        static let noStore = Directives(rawValue: 1)
        static let noCache = Directives(rawValue: 2)
        static let isPrivate = Directives(rawValue: 4)
        static let mustRevalidate = Directives(rawValue: 8)
        static let proxyRevalidate = Directives(rawValue: 16)
        static let noTransform = Directives(rawValue: 32)
    }

    private(set) var directives: Directives = []
    private(set) var isPublic = false
    /// Seconds; nil where nothing was said.
    private(set) var maximumAge: UInt32?
    private(set) var sharedMaximumAge: UInt32?
    private var age: UInt32 = 0
    private var expires = false

    /// Nothing said.
    init() {}

    /// Takes in a `Cache-Control` field.
    mutating func read(cacheControl value: Span<UInt8>) {
        var position = 0
        while position < value.count {
            let end = value.endOfListMember(from: position)
            let member = value.extracting(position..<end).trimmed
            position = end + 1
            let nameEnd = member.firstIndex(of: UInt8(ascii: "=")) ?? member.count
            let name = member.extracting(0..<nameEnd)
            let argument = member.extracting(min(nameEnd + 1, member.count)..<member.count)
            if name.equalsIgnoringCase("no-store") { directives.insert(.noStore) }
            if name.equalsIgnoringCase("no-cache") { directives.insert(.noCache) }
            if name.equalsIgnoringCase("private") { directives.insert(.isPrivate) }
            if name.equalsIgnoringCase("must-revalidate") { directives.insert(.mustRevalidate) }
            if name.equalsIgnoringCase("proxy-revalidate") { directives.insert(.proxyRevalidate) }
            if name.equalsIgnoringCase("no-transform") { directives.insert(.noTransform) }
            if name.equalsIgnoringCase("public") { isPublic = true }
            if name.equalsIgnoringCase("max-age") { maximumAge = min(maximumAge ?? .max, Self.seconds(argument)) }
            if name.equalsIgnoringCase("s-maxage") {
                sharedMaximumAge = min(sharedMaximumAge ?? .max, Self.seconds(argument))
            }
        }
    }

    /// Takes in an `Age` field: so much of the time is over already.
    mutating func read(age value: Span<UInt8>) {
        age = max(age, Self.seconds(value.trimmed))
    }

    /// So much of the time is over in addition: the answer was on its way, or waited for others (§4.2.3).
    mutating func grow(older seconds: UInt32) { age += min(seconds, 2_147_483_648 - min(age, 2_147_483_648)) }

    /// The answer has an `Expires` field. It is not read: what goes stale by the clock counts as stale at once, where
    /// nothing else is said (§5.3).
    mutating func noteExpires() { expires = true }

    /// Seconds for which any cache may use the answer; nil where nothing was said.
    var remaining: UInt32? { left(of: maximumAge ?? (expires ? 0 : nil)) }

    /// Seconds for which a shared cache may use it.
    var sharedRemaining: UInt32? { left(of: sharedMaximumAge ?? maximumAge ?? (expires ? 0 : nil)) }

    /// Whether a shared cache may keep the answer to a request with credentials (§3.5).
    var allowsCredentials: Bool {
        isPublic || sharedMaximumAge != nil || directives.contains(.mustRevalidate)
    }

    private func left(of seconds: UInt32?) -> UInt32? { seconds.map { $0 > age ? $0 - age : 0 } }

    /// A number of seconds, also in quotes. What is none counts as 0: a cache should take it for stale
    /// (RFC 9111 §4.2.1).
    private static func seconds(_ text: Span<UInt8>) -> UInt32 {
        var digits = text
        if digits.count >= 2, digits[0] == UInt8(ascii: "\""), digits[digits.count - 1] == UInt8(ascii: "\"") {
            digits = digits.extracting(1..<(digits.count - 1))
        }
        if digits.isEmpty { return 0 }
        var value: UInt32 = 0
        for index in 0..<digits.count {
            guard digits[index] &- 0x30 < 10 else { return 0 }
            // RFC 9111 §1.2.2: what is too large counts as 2^31.
            value = value > 214_748_363 ? 2_147_483_648 : value * 10 + UInt32(digits[index] &- 0x30)
            if value > 2_147_483_648 { value = 2_147_483_648 }
        }
        return value
    }
}

extension Span where Element == UInt8 {
    /// The offset of the comma that ends the list member at `start`, or `count`; commas within quoted strings end none.
    func endOfListMember(from start: Int) -> Int {
        var index = start
        var isQuoted = false
        while index < count {
            let byte = self[index]
            if isQuoted, byte == UInt8(ascii: "\\") { index += 1 }
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted, byte == UInt8(ascii: ",") { return index }
            index += 1
        }
        return count
    }

    /// Without blanks and tabs at both ends.
    var trimmed: Span<UInt8> {
        @_lifetime(copy self)
        get {
            var start = 0
            var end = count
            while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
            while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
            return extracting(start..<end)
        }
    }
}
