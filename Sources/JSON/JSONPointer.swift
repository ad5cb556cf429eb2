/// A JSON Pointer (RFC 6901): the way from the top of a document to one of its values.
package struct JSONPointer: Hashable, Sendable, CustomStringConvertible {
    /// Member names and array indices from the top, with nothing escaped; empty for the whole document.
    package var tokens: [String]

    package init(_ tokens: [String] = []) {
        self.tokens = tokens
    }

    /// Reads the text form of RFC 6901 §3: empty, or `/` before each token, `~0` for `~` and `~1` for `/`.
    /// Nil for any other use of `~` and where a non-empty text does not begin with `/`.
    package init?(parsing text: String) {
        if text.isEmpty {
            self.init()
            return
        }
        guard text.utf8.first == UInt8(ascii: "/") else { return nil }
        var tokens: [String] = []
        for escaped in text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            var token: [UInt8] = []
            var bytes = escaped.makeIterator()
            while let byte = bytes.next() {
                if byte != UInt8(ascii: "~") {
                    token.append(byte)
                    continue
                }
                switch bytes.next() {
                case UInt8(ascii: "0"): token.append(UInt8(ascii: "~"))
                case UInt8(ascii: "1"): token.append(UInt8(ascii: "/"))
                default: return nil
                }
            }
            tokens.append(String(decoding: token, as: UTF8.self))
        }
        self.init(tokens)
    }

    /// The pointer to the member or element `token` of what this one points to.
    package func appending(_ token: String) -> JSONPointer {
        JSONPointer(tokens + [token])
    }

    /// The pointer to the element at `index` of the array that this one points to.
    package func appending(_ index: Int) -> JSONPointer {
        appending(String(index))
    }

    /// The text form of RFC 6901 §3.
    package var description: String {
        var bytes: [UInt8] = []
        for token in tokens {
            bytes.append(UInt8(ascii: "/"))
            for byte in token.utf8 {
                switch byte {
                case UInt8(ascii: "~"): bytes += [UInt8(ascii: "~"), UInt8(ascii: "0")]
                case UInt8(ascii: "/"): bytes += [UInt8(ascii: "~"), UInt8(ascii: "1")]
                default: bytes.append(byte)
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether `token` names an element of an array.
    package static func isArrayIndex(_ token: String) -> Bool { arrayIndex(token) != nil }

    /// The array index that `token` names (RFC 6901 §4): decimal digits without a leading zero; nil otherwise.
    static func arrayIndex(_ token: String) -> Int? {
        let digits = token.utf8
        guard let first = digits.first, digits.count <= 9, digits.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        guard first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        return Int(token)
    }
}
