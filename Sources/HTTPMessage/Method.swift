import ByteBuffers

/// A request method as a small integer; a method that the gateway has no name for is ``other``, and its text stands in
/// ``RequestHead/methodRange``. Methods are case-sensitive (RFC 9110 §9.1).
package struct Method: RawRepresentable, Equatable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Compared by number, without the detour that `RawRepresentable` takes through its generic form.
    package static func == (left: Method, right: Method) -> Bool { left.rawValue == right.rawValue }

    /// Any token that is none of the methods below.
    package static let other = Method(rawValue: 0)
    package static let get = Method(rawValue: 1)
    package static let head = Method(rawValue: 2)
    package static let post = Method(rawValue: 3)
    package static let put = Method(rawValue: 4)
    package static let delete = Method(rawValue: 5)
    package static let patch = Method(rawValue: 6)
    package static let options = Method(rawValue: 7)
    package static let trace = Method(rawValue: 8)
    package static let connect = Method(rawValue: 9)
    /// Safe and idempotent, with content (the HTTP QUERY method).
    package static let query = Method(rawValue: 10)

    /// The longest method that is passed on, in bytes.
    package static let longest = 32

    /// Whether a request with it asks for nothing but an answer (RFC 9110 §9.2.1); an unknown method is not safe.
    package var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace, .query: true
        default: false
        }
    }

    /// Whether it may be sent twice with the effect of once (RFC 9110 §9.2.2); an unknown method may not.
    package var isIdempotent: Bool {
        isSafe || self == .put || self == .delete
    }

    /// The method of these bytes; ``other`` for every text that is none of the named ones.
    package static func named(_ bytes: Span<UInt8>) -> Method {
        switch bytes.count {
        case 3:
            if bytes.equals("GET") { return .get }
            if bytes.equals("PUT") { return .put }
        case 4:
            if bytes.equals("POST") { return .post }
            if bytes.equals("HEAD") { return .head }
        case 5:
            if bytes.equals("PATCH") { return .patch }
            if bytes.equals("QUERY") { return .query }
            if bytes.equals("TRACE") { return .trace }
        case 6:
            if bytes.equals("DELETE") { return .delete }
        case 7:
            if bytes.equals("OPTIONS") { return .options }
            if bytes.equals("CONNECT") { return .connect }
        default: break
        }
        return .other
    }
}
