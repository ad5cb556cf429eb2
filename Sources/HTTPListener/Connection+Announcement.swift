import ByteBuffers
import EventLoops

/// What a balancer says of its client before the connection is the client's: the PROXY protocol.
extension Connection {
    /// Reads who the client is, and not a byte more: what follows may be TLS, which reads by itself.
    func readAnnouncement() {
        let number = socket
        var progress = ProxyHeader.Progress.incomplete
        var taken = 0
        let result = loop.receive({ Descriptor.peek(number, into: $0) }) { input in
            guard var read = announcement.take() else { return }
            let before = read.count
            read.append(input.extracting(..<min(input.count, ProxyHeader.most - before)))
            progress = ProxyHeader.read(read.span)
            taken = read.count - before
            if case .complete(let consumed, _) = progress { taken = consumed - before }
            announcement = consume read
        }
        switch (result, progress) {
        case (.wouldBlock, _): return
        case (.bytes, .incomplete): Descriptor.discard(number, taken)
        case (.bytes, .complete(_, let source)):
            Descriptor.discard(number, taken)
            announcement = nil
            if let source { peer = source }
            isCounted = server.admit(peer)
            if isCounted { greet() } else { close() }
        default: close()
        }
    }
}
