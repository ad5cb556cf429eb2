import EventLoops
import Glibc

/// The TLS handshake of a connection.
extension Connection {
    /// Goes on with the handshake, and begins to speak HTTP when it is done.
    func shakeHands(_ secure: TLSStream) {
        switch secure.shakeHands() {
        case .again(let events): super.watch(events)
        case .done:
            endHandshake()
            server.handshakeCompleted(listenerIndex)
            begin()
        case .failed(.clearHTTP):
            giveUpHandshake(.clearHTTP)
            refuseClearHTTP()
        case .failed(let cause):
            giveUpHandshake(cause)
            close()
        }
    }

    /// The handshake will not come to its end.
    func giveUpHandshake(_ cause: HandshakeFailure) {
        guard handshake >= 0 else { return }
        endHandshake()
        server.handshakeFailed(cause)
    }

    /// The handshake is over, one way or the other.
    func endHandshake() {
        if handshake >= 0 { server.handshakeEnded(handshake) }
        handshake = -1
    }

    /// Tells a client that speaks HTTP in clear what is wrong, in its own words.
    private func refuseClearHTTP() {
        let answer: StaticString = """
            HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 30\r\n\r\n\
            This port speaks HTTPS only.\r\n
            """
        // SAFETY: the text of a static string lives for ever.
        _ = Descriptor.send(
            socket, UnsafeRawBufferPointer(start: answer.utf8Start, count: answer.utf8CodeUnitCount))
        endWriting()
        limitReading(to: ConnectionLimits.lingerTime)
        watch(.readable)
    }
}
