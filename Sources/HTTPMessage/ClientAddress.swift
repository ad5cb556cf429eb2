import ByteBuffers

extension ForwardingHeaders {
    /// The address of the client: the right-most one in the chain of `X-Forwarded-For` that is not a trusted proxy.
    ///
    /// The peer comes last in the chain. Each trusted hop vouches for the one before it and no further; where a trusted
    /// hop names something that is no address, that hop is as far as is known. If all are trusted, it is the first of
    /// them.
    ///
    /// - Parameters:
    ///   - head: The request as received.
    ///   - peer: Who sent it to us; nil where the peer has no address (a unix socket).
    ///   - peerIsTrusted: Whether the peer is one of the trusted proxies.
    ///   - trusted: The addresses of the trusted proxies.
    /// - Returns: The address, or nil if neither peer nor chain has one.
    package static func clientAddress(
        of head: borrowing RequestHead, peer: IPAddress?, peerIsTrusted: Bool, trusted: CIDRSet
    ) -> IPAddress? {
        var known = peer
        guard peerIsTrusted, head.fields.contains(.xForwardedFor) else { return known }
        var field = head.fields.count - 1
        while field >= 0 {
            if head.fields[field].id == .xForwardedFor {
                let chain = head.value(field)
                var end = chain.count
                while end >= 0 {
                    var start = end
                    while start > 0, chain[unchecked: start - 1] != UInt8(ascii: ",") { start -= 1 }
                    switch ForwardedAddress(chain.extracting(start..<end)) {
                    case .empty: break
                    case .unknown: return known
                    case .address(let hop):
                        if !trusted.contains(hop) { return hop }
                        known = hop
                    }
                    end = start - 1
                }
            }
            field -= 1
        }
        return known
    }
}

/// One element of `X-Forwarded-For`: an address with or without a port, as in `192.0.2.1`, `192.0.2.1:4711`,
/// `2001:db8::1`, `[2001:db8::1]:4711`.
private enum ForwardedAddress {
    case address(IPAddress)
    /// White space: such elements of a list are passed over (RFC 9110 §5.6.1.2).
    case empty
    /// Anything else.
    case unknown

    init(_ element: Span<UInt8>) {
        var start = 0
        var end = element.count
        while start < end, element[unchecked: start].isBlank { start += 1 }
        while end > start, element[unchecked: end - 1].isBlank { end -= 1 }
        let text = element.extracting(start..<end)
        if text.count == 0 {
            self = .empty
        } else if let address = IPAddress(text) ?? ForwardedAddress.withPort(text) {
            self = .address(address)
        } else {
            self = .unknown
        }
    }

    private static func withPort(_ text: Span<UInt8>) -> IPAddress? {
        guard let authority = Authority(text) else { return nil }
        let host = text.slice(authority.host)
        let isBracketed = host[0] == UInt8(ascii: "[")
        return IPAddress(isBracketed ? host.extracting(1..<(host.count - 1)) : host)
    }
}
