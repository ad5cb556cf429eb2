import ByteBuffers

extension ForwardingHeaders {
    /// Whether a `Via` field of the request names this gateway: the request has been here before (RFC 9110 §7.6.3).
    package static func via(of head: borrowing RequestHead, names gateway: GatewayName = .standard) -> Bool {
        var next = head.fields.first(.via)
        while let index = next {
            if ViaField.names(gateway, in: head.value(index)) { return true }
            next = head.fields.firstIndex(of: .via, after: index)
        }
        return false
    }
}

/// Reads `Via` values: `1#( received-protocol RWS received-by [ RWS comment ] )` (RFC 9110 §7.6.3).
enum ViaField {
    /// Whether an element was received by the gateway of this name, with or without a port.
    ///
    /// A comma separates also within a comment: else a client could open one, leave it open, and so hide what the
    /// gateway adds behind it. To find a loop that is none is the smaller harm.
    static func names(_ gateway: GatewayName, in value: Span<UInt8>) -> Bool {
        var cursor = ListCursor()
        while let range = cursor.next(in: value) {
            let element = value.slice(range)
            var start = 0
            while start < element.count, !element[unchecked: start].isBlank { start += 1 }
            while start < element.count, element[unchecked: start].isBlank { start += 1 }
            var end = start
            while end < element.count, !endsReceiver(element[unchecked: end]) { end += 1 }
            if element.extracting(start..<end).equalsIgnoringCase(gateway.bytes.span) { return true }
        }
        return false
    }

    /// Whether a byte cannot be in the name of a receiver: white space, the port's colon, the parenthesis of a comment.
    private static func endsReceiver(_ byte: UInt8) -> Bool {
        byte.isBlank || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "(")
    }
}
