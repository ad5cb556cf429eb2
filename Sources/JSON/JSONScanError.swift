/// Why a text is not JSON by RFC 8259, or not within the limits, and where.
package struct JSONScanError: Error, Equatable, Sendable {
    /// What is wrong. Bounded: fit for a log field or a metric label.
    package enum Reason: UInt8, Sendable {
        case unexpectedEnd
        case unexpectedByte
        case trailingText
        case byteOrderMark
        case invalidNumber
        case invalidEscape
        case loneSurrogate
        case controlCharacter
        case invalidUTF8
        case duplicateName
        case tooDeep
        case tooManyNodes
        case tooLarge
    }

    package var reason: Reason
    /// The offset of the byte that is wrong; of the opening quote of a second name, of the bracket that is too deep.
    package var offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// What is wrong, in words.
    package var message: StaticString {
        switch reason {
        case .unexpectedEnd: "the text ends too early"
        case .unexpectedByte: "unexpected character"
        case .trailingText: "text after the end of the value"
        case .byteOrderMark: "byte order mark"
        case .invalidNumber: "malformed number"
        case .invalidEscape: "malformed escape in a string"
        case .loneSurrogate: "escaped surrogate without its other half"
        case .controlCharacter: "control character in a string that is not escaped"
        case .invalidUTF8: "not valid UTF-8"
        case .duplicateName: "member name that its object has already"
        case .tooDeep: "arrays and objects nested too deeply"
        case .tooManyNodes: "too many values"
        case .tooLarge: "text too large"
        }
    }
}
