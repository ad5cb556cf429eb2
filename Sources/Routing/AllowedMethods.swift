import ByteBuffers
import HTTPMessage

/// A set of methods of one route table, as bits: what a path would have answered to.
package struct AllowedMethods: Equatable, Sendable {
    /// One bit for each method that the table knows.
    let bits: UInt64

    /// Whether no method is in it.
    package var isEmpty: Bool { bits == 0 }
}

/// The methods that the routes of one table name: the common ones by number, others by their text.
struct MethodTable: Sendable {
    /// The most methods besides the common ones.
    static let maximumExtensions = 48
    private static let firstExtension = 16

    /// The bit of GET.
    let get = bit(of: .get)
    /// The bit of HEAD.
    let head = bit(of: .head)
    /// What a route without a method answers to, as far as it can be listed.
    let usual =
        bit(of: .get) | bit(of: .head) | bit(of: .post) | bit(of: .put) | bit(of: .delete) | bit(of: .patch)
        | bit(of: .options)
    /// What a route answers to only if it names it.
    let unrouted = bit(of: .trace) | bit(of: .connect)

    private var extensions: [ByteRange] = []
    private var extensionText: [UInt8] = []

    /// The bit of a common method.
    static func bit(of method: Method) -> UInt64 { 1 << UInt64(method.rawValue & 15) }

    /// The bits of these methods, which the table learns; nil where it has no room for one more.
    mutating func learn(_ names: [String]) -> UInt64? {
        var bits: UInt64 = 0
        for name in names {
            let text = Array(name.utf8)
            let method = Method.named(text.span)
            if method != .other {
                bits |= Self.bit(of: method)
                continue
            }
            let known = extensionBit(text.span)
            if known != 0 {
                bits |= known
                continue
            }
            guard extensions.count < Self.maximumExtensions else { return nil }
            extensions.append(ByteRange(start: extensionText.count, count: text.count))
            extensionText += text
            bits |= extensionBit(text.span)
        }
        return bits
    }

    /// The bit of a request's method; 0 for a method that no route names.
    func bit(of method: Method, text: borrowing Span<UInt8>) -> UInt64 {
        method.rawValue != 0 ? Self.bit(of: method) : extensionBit(text)
    }

    private func extensionBit(_ text: borrowing Span<UInt8>) -> UInt64 {
        for index in extensions.indices where extensionText.span.slice(extensions[index]).equals(text) {
            return 1 << UInt64(Self.firstExtension + index)
        }
        return 0
    }

    /// Appends the value of an `Allow` field (RFC 9110 §10.2.1): the common methods in a fixed order, then the others.
    func append(_ allowed: AllowedMethods, to buffer: inout ByteBuffer) {
        var isFirst = true
        func separate(_ buffer: inout ByteBuffer) {
            if !isFirst { buffer.append(", ") }
            isFirst = false
        }
        for (method, name) in Self.common where allowed.bits & Self.bit(of: method) != 0 {
            separate(&buffer)
            buffer.append(name)
        }
        for index in extensions.indices where allowed.bits & 1 << UInt64(Self.firstExtension + index) != 0 {
            separate(&buffer)
            buffer.append(extensionText.span.slice(extensions[index]))
        }
    }

    private static let common: [(Method, StaticString)] = [
        (.get, "GET"), (.head, "HEAD"), (.post, "POST"), (.put, "PUT"), (.patch, "PATCH"), (.delete, "DELETE"),
        (.query, "QUERY"), (.options, "OPTIONS"), (.trace, "TRACE"),
    ]
}
