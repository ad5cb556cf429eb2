import ByteBuffers

/// Whether a client takes JSON, as its `Accept` fields say (RFC 9110 §12.5.1).
///
/// The range that says most about `application/json` decides: the type itself, then `application/*`, then `*/*`. A range
/// with parameters asks for one form of JSON: it lets JSON in, since an answer that is not quite what was asked for is
/// of more use than none, but refusing that form refuses no other.
struct AcceptField {
    private var hasRanges = false
    private var isMalformed = false
    /// 0 for nothing that matches, 1 for `*/*`, 2 for `application/*`, 3 for the type.
    private var precision = 0
    private var admits = false

    /// Takes in a field; several are one list.
    mutating func read(_ value: Span<UInt8>) {
        var cursor = FieldCursor()
        cursor.skipEmptyElements(in: value)
        while !cursor.isAtEnd(of: value), !isMalformed {
            isMalformed = !readRange(value, &cursor)
            cursor.skipEmptyElements(in: value)
        }
    }

    /// Whether JSON will do. It does where nothing was said, or nothing that can be understood.
    var admitsJSON: Bool { !hasRanges || isMalformed || admits }

    private mutating func readRange(_ value: Span<UInt8>, _ cursor: inout FieldCursor) -> Bool {
        guard let type = cursor.token(in: value), cursor.take(UInt8(ascii: "/"), in: value),
            let subtype = cursor.token(in: value)
        else { return false }
        hasRanges = true
        let isAnyType = value.slice(type).equals("*")
        let isAnySubtype = value.slice(subtype).equals("*")
        if isAnyType, !isAnySubtype { return false }
        var isPlain = true
        var weight: Bool?
        cursor.skipBlanks(in: value)
        while cursor.take(UInt8(ascii: ";"), in: value) {
            cursor.skipBlanks(in: value)
            guard let name = cursor.token(in: value) else {
                // Empty parameters are allowed (RFC 9110 §5.6.6).
                continue
            }
            if cursor.take(UInt8(ascii: "="), in: value) {
                guard let text = cursor.word(in: value) else { return false }
                if weight == nil, value.slice(name).equalsIgnoringCase("q") {
                    guard let isPositive = value.slice(text).isPositiveWeight else { return false }
                    weight = isPositive
                } else if weight == nil {
                    isPlain = false
                }
            } else if weight == nil {
                // Only what follows the weight had no need of a value (RFC 7231 §5.3.2).
                return false
            }
            cursor.skipBlanks(in: value)
        }
        guard cursor.isAtEnd(of: value) || cursor.take(UInt8(ascii: ","), in: value) else { return false }
        let precision: Int
        if isAnyType {
            precision = 1
        } else if !value.slice(type).equalsIgnoringCase("application") {
            precision = 0
        } else if isAnySubtype {
            precision = 2
        } else {
            precision = value.slice(subtype).equalsIgnoringCase("json") ? 3 : 0
        }
        if precision > 0 { note(precision, weight ?? true, isPlain: isPlain) }
        return true
    }

    private mutating func note(_ precision: Int, _ isWanted: Bool, isPlain: Bool) {
        if !isPlain, !isWanted { return }
        if precision > self.precision {
            self.precision = precision
            admits = isWanted
        } else if precision == self.precision {
            admits = admits || isWanted
        }
    }
}

extension RequestHead {
    /// Whether the client takes an answer of the type `application/json` (RFC 9110 §12.5.1); a field that is malformed
    /// counts as absent.
    package var admitsJSON: Bool {
        var accept = AcceptField()
        var next = fields.first(.accept)
        while let index = next {
            accept.read(value(index))
            next = fields.firstIndex(of: .accept, after: index)
        }
        return accept.admitsJSON
    }
}

extension Span where Element == UInt8 {
    /// Whether a weight is above 0; nil where it is none: `0` or `1` with at most three digits behind the point
    /// (RFC 9110 §12.4.2).
    fileprivate var isPositiveWeight: Bool? {
        guard count >= 1, count <= 5, count == 1 || self[1] == UInt8(ascii: ".") else { return nil }
        let isOne = self[0] == UInt8(ascii: "1")
        guard isOne || self[0] == UInt8(ascii: "0") else { return nil }
        var fraction: UInt8 = 0
        var index = 2
        while index < count {
            guard self[index] &- 0x30 < 10 else { return nil }
            fraction |= self[index] &- 0x30
            index += 1
        }
        if isOne { return fraction == 0 ? true : nil }
        return fraction != 0
    }
}
