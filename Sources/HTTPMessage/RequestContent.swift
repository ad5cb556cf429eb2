import ByteBuffers

/// What the content of a request is said to be, as far as the gateway has to know: for what it reads itself.
extension RequestHead {
    /// Whether the content is said to be JSON in UTF-8, as `ResponseHead/mayBeJSON` has it; nothing said is not enough.
    package var declaresJSON: Bool {
        guard let index = fields.first(.contentType) else { return false }
        guard fields.firstIndex(of: .contentType, after: index) == nil else { return false }
        return ResponseHead.isJSON(type: value(index))
    }

    /// Whether the content is coded (RFC 9110 §8.4); `identity` is no coding.
    package var hasContentCoding: Bool {
        var next = fields.first(.contentEncoding)
        while let index = next {
            let list = value(index)
            var cursor = ListCursor()
            while let range = cursor.next(in: list) {
                if !list.slice(range).equalsIgnoringCase("identity") { return true }
            }
            next = fields.firstIndex(of: .contentEncoding, after: index)
        }
        return false
    }
}
