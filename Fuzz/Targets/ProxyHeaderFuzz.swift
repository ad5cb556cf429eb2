import ByteBuffers
import HTTPListener
import HTTPMessage

/// What a load balancer says before everything else on a connection.
enum ProxyHeaderFuzz {
    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let whole = ProxyHeader.read(input.span)
        // However few bytes have come, nothing is said that more of them would take back.
        var isDecided = false
        for count in 0...input.count {
            let part = ProxyHeader.read(input.span.extracting(0..<count))
            if isDecided || part != .incomplete {
                isDecided = true
                try requireSame(part, whole, "\(count) bytes and all of them come to different ends")
            }
            guard case .complete(let consumed, let source) = part else {
                try require(count < ProxyHeader.most || part != .incomplete, "there is no end to a header")
                continue
            }
            try require(consumed > 0 && consumed <= count && consumed <= ProxyHeader.most, "the header ends nowhere")
            guard let source else { continue }
            try require(!source.isUnix, "a client by a unix socket")
            try checkWrittenAnew(source)
        }
    }

    /// An address that was read and is written as text is read as the same.
    private static func checkWrittenAnew(_ source: PeerAddress) throws(BrokenProperty) {
        // An IPv4 address in its IPv6 form is written as the IPv4 address that it is.
        var line = ByteBuffer()
        line.append(source.address.isIPv4 ? "PROXY TCP4 " : "PROXY TCP6 ")
        line.append(source.address)
        line.append(source.address.isIPv4 ? " 127.0.0.1 " : " ::1 ")
        line.appendDecimal(source.port)
        line.append(" 443\r\n")
        try requireSame(
            ProxyHeader.read(line.span), .complete(consumed: line.count, source: source), "an address reads otherwise")
    }
}
