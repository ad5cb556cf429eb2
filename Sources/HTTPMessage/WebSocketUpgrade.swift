import ByteBuffers

/// The two heads by which a connection goes over to WebSocket (RFC 6455 §4, RFC 9110 §7.8).
extension RequestHead {
    /// Whether the client offers to go over to WebSocket: a GET of HTTP/1.1 without a body, whose `Connection` has
    /// `upgrade` and whose `Upgrade` names `websocket`, be it among others. The handshake itself is the upstream's to judge.
    package var asksForWebSocket: Bool {
        guard method == .get, version == .http11, framing == .none, connection.contains(.upgrade) else { return false }
        return fields.upgradeNamesWebSocket(in: bytes, alone: false)
    }
}

extension ResponseHead {
    /// Whether the upstream goes over to WebSocket, and to nothing else.
    package var switchesToWebSocket: Bool {
        status == 101 && connection.contains(.upgrade) && fields.upgradeNamesWebSocket(in: bytes, alone: true)
    }
}

extension HeaderBlock {
    fileprivate func upgradeNamesWebSocket(in bytes: borrowing ByteBuffer, alone: Bool) -> Bool {
        var isNamed = false
        var others = 0
        var next = first(.upgrade)
        while let index = next {
            let value = bytes.span(self[index].value)
            var cursor = ListCursor()
            while let range = cursor.next(in: value) {
                if value.slice(range).equalsIgnoringCase("websocket") { isNamed = true } else { others += 1 }
            }
            next = firstIndex(of: .upgrade, after: index)
        }
        return isNamed && (others == 0 || !alone)
    }
}
