import ByteBuffers

/// How the content of an answer is coded (RFC 9110 §8.4), as far as the gateway has to know: for what it reads itself.
package enum ContentCoding: Equatable, Sendable {
    /// Not at all.
    case identity
    /// `gzip`, or `x-gzip`, which means the same (§8.4.1.3).
    case gzip
    /// Another one, several, or a list that is none.
    case other
}

extension ResponseHead {
    /// How the content is coded; several `Content-Encoding` fields are one list.
    package var contentCoding: ContentCoding {
        var coding = ContentCoding.identity
        var next = fields.first(.contentEncoding)
        while let index = next {
            let list = value(index)
            var cursor = ListCursor()
            while let range = cursor.next(in: list) {
                let name = list.slice(range)
                // `identity` is not to be sent, but means what it says.
                if name.equalsIgnoringCase("identity") { continue }
                let isGzip = name.equalsIgnoringCase("gzip") || name.equalsIgnoringCase("x-gzip")
                guard isGzip, coding == .identity else { return .other }
                coding = .gzip
            }
            next = fields.firstIndex(of: .contentEncoding, after: index)
        }
        return coding
    }

    /// Whether the content may be JSON in UTF-8: its type is `application/json` or ends in `+json` (RFC 6839 §3.1), or
    /// is not said; and its charset is `utf-8`, or `us-ascii`, which is a part of it, or is not said (RFC 8259 §8.1).
    package var mayBeJSON: Bool {
        guard let index = fields.first(.contentType) else { return true }
        guard fields.firstIndex(of: .contentType, after: index) == nil else { return false }
        return Self.isJSON(type: value(index))
    }

    static func isJSON(type value: Span<UInt8>) -> Bool {
        var cursor = FieldCursor()
        guard let type = cursor.token(in: value), cursor.take(UInt8(ascii: "/"), in: value),
            let subtype = cursor.token(in: value)
        else { return false }
        let name = value.slice(subtype)
        let isPlain = value.slice(type).equalsIgnoringCase("application") && name.equalsIgnoringCase("json")
        let isSuffixed = name.count > 5 && name.extracting((name.count - 5)..<name.count).equalsIgnoringCase("+json")
        guard isPlain || isSuffixed else { return false }
        cursor.skipBlanks(in: value)
        while cursor.take(UInt8(ascii: ";"), in: value) {
            cursor.skipBlanks(in: value)
            // Empty parameters are allowed (RFC 9110 §5.6.6).
            if let parameter = cursor.token(in: value) {
                guard cursor.take(UInt8(ascii: "="), in: value), let text = cursor.word(in: value) else { return false }
                if value.slice(parameter).equalsIgnoringCase("charset"), !value.slice(text).namesUTF8 { return false }
            }
            cursor.skipBlanks(in: value)
        }
        return cursor.isAtEnd(of: value)
    }
}

extension Span where Element == UInt8 {
    /// Whether text in this charset is UTF-8, too.
    fileprivate var namesUTF8: Bool { equalsIgnoringCase("utf-8") || equalsIgnoringCase("us-ascii") }
}
