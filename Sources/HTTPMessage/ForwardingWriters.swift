package import ByteBuffers

/// The scheme by which a request reached the gateway.
package enum RequestScheme: Sendable {
    case http
    case https

    package var name: StaticString {
        switch self {
        case .http: "http"
        case .https: "https"
        }
    }
}

/// The fields by which the gateway tells an upstream where a request comes from. Each writes one whole line.
extension ForwardingHeaders {
    /// Appends `X-Forwarded-For`, `-Proto`, `-Host`, `Forwarded` and `Via`.
    ///
    /// - Parameters:
    ///   - head: The request as received.
    ///   - peer: Who sent it to us; nil where the peer has no address (a unix socket).
    ///   - scheme: How it reached us.
    ///   - peerIsTrusted: Whether what the request itself says about its way is believed and carried on.
    ///   - gateway: Our name in `Via`.
    ///   - out: What the lines are appended to.
    package static func appendForwardingFields(
        of head: borrowing RequestHead, peer: IPAddress?, scheme: RequestScheme, peerIsTrusted: Bool,
        gateway: GatewayName = .standard, into out: inout ByteBuffer
    ) {
        appendForwardedFor(of: head, peer: peer, peerIsTrusted: peerIsTrusted, into: &out)
        appendForwardedProto(of: head, scheme: scheme, peerIsTrusted: peerIsTrusted, into: &out)
        appendForwardedHost(of: head, peerIsTrusted: peerIsTrusted, into: &out)
        appendForwarded(of: head, peer: peer, scheme: scheme, peerIsTrusted: peerIsTrusted, into: &out)
        appendVia(of: head, gateway: gateway, into: &out)
    }

    /// Appends `X-Forwarded-For`: the peer, behind the chain that it brought along if it is trusted. Nothing if there
    /// is neither.
    package static func appendForwardedFor(
        of head: borrowing RequestHead, peer: IPAddress?, peerIsTrusted: Bool, into out: inout ByteBuffer
    ) {
        let start = out.count
        out.append("X-Forwarded-For: ")
        var isFirst = true
        if peerIsTrusted { isFirst = out.appendValues(of: .xForwardedFor, in: head) }
        if let peer {
            if !isFirst { out.append(", ") }
            out.append(peer)
            isFirst = false
        }
        if isFirst { out.truncate(to: start) } else { out.append("\r\n") }
    }

    /// Appends `X-Forwarded-Proto`: how the request reached the first trusted proxy, or us.
    package static func appendForwardedProto(
        of head: borrowing RequestHead, scheme: RequestScheme, peerIsTrusted: Bool, into out: inout ByteBuffer
    ) {
        out.append("X-Forwarded-Proto: ")
        if !peerIsTrusted || out.appendValues(of: .xForwardedProto, in: head) { out.append(scheme.name) }
        out.append("\r\n")
    }

    /// Appends `X-Forwarded-Host`: the authority that the client asked the first trusted proxy for, or us. Nothing if
    /// the request names none.
    package static func appendForwardedHost(
        of head: borrowing RequestHead, peerIsTrusted: Bool, into out: inout ByteBuffer
    ) {
        let isCarriedOn = peerIsTrusted && head.fields.contains(.xForwardedHost)
        guard isCarriedOn || head.hasAuthority else { return }
        out.append("X-Forwarded-Host: ")
        if !isCarriedOn || out.appendValues(of: .xForwardedHost, in: head) { out.append(head.span(head.authority)) }
        out.append("\r\n")
    }

    /// Appends `Forwarded` (RFC 7239 §4): an element for this hop, behind those of a trusted peer.
    package static func appendForwarded(
        of head: borrowing RequestHead, peer: IPAddress?, scheme: RequestScheme, peerIsTrusted: Bool,
        into out: inout ByteBuffer
    ) {
        out.append("Forwarded: ")
        if peerIsTrusted, !out.appendValues(of: .forwarded, in: head) { out.append(", ") }
        out.append("for=")
        if let peer {
            // An IPv6 address stands in brackets and quotes (RFC 7239 §6).
            out.append(peer.isIPv4 ? "" : "\"[")
            out.append(peer)
            out.append(peer.isIPv4 ? "" : "]\"")
        } else {
            out.append("unknown")
        }
        if head.hasAuthority {
            out.append(";host=")
            out.appendTokenOrQuoted(head.span(head.authority))
        }
        out.append(";proto=")
        out.append(scheme.name)
        out.append("\r\n")
    }

    /// Appends `Via` (RFC 9110 §7.6.3): the values that the request has, then ours with the version that it came in.
    package static func appendVia(
        of head: borrowing RequestHead, gateway: GatewayName = .standard, into out: inout ByteBuffer
    ) {
        out.append("Via: ")
        if !out.appendValues(of: .via, of: head.fields, in: head.bytes) { out.append(", ") }
        out.append(head.version.viaText)
        out.append(" ")
        out.append(gateway.bytes)
        out.append("\r\n")
    }

    /// Appends `Via` to an answer: the values that the upstream's has, then ours with the version that it came in.
    package static func appendVia(
        of head: borrowing ResponseHead, gateway: GatewayName = .standard, into out: inout ByteBuffer
    ) {
        out.append("Via: ")
        if !out.appendValues(of: .via, of: head.fields, in: head.bytes) { out.append(", ") }
        out.append(head.version.viaText)
        out.append(" ")
        out.append(gateway.bytes)
        out.append("\r\n")
    }

    /// The index of the `X-Request-Id` field whose value is carried on: the only one, from a trusted peer, a token of
    /// at most 128 characters. Nil where the gateway must make an id.
    package static func requestID(of head: borrowing RequestHead, peerIsTrusted: Bool) -> Int? {
        guard peerIsTrusted, let index = head.fields.only(.xRequestID) else { return nil }
        let value = head.value(index)
        return value.count <= 128 && value.isToken ? index : nil
    }
}

extension HTTPVersion {
    /// The version as `Via` has it, without the name of the protocol (RFC 9110 §7.6.3).
    fileprivate var viaText: StaticString {
        switch self {
        case .http10: "1.0"
        case .http11: "1.1"
        case .http2: "2.0"
        }
    }
}

extension ByteBuffer {
    /// Appends the values of all fields with this name, joined with `, `. Returns whether nothing was appended.
    fileprivate mutating func appendValues(of id: HeaderName, in head: borrowing RequestHead) -> Bool {
        appendValues(of: id, of: head.fields, in: head.bytes)
    }

    fileprivate mutating func appendValues(
        of id: HeaderName, of fields: borrowing HeaderBlock, in bytes: borrowing ByteBuffer
    ) -> Bool {
        var isFirst = true
        var next = fields.first(id)
        while let index = next {
            let value = fields[index].value
            if !value.isEmpty {
                if !isFirst { append(", ") }
                append(bytes.span(value))
                isFirst = false
            }
            next = fields.firstIndex(of: id, after: index)
        }
        return isFirst
    }

    /// Appends bytes as a token if they are one, else as a quoted string (RFC 9110 §5.6.4).
    fileprivate mutating func appendTokenOrQuoted(_ bytes: Span<UInt8>) {
        if bytes.isToken {
            append(bytes)
            return
        }
        append(UInt8(ascii: "\""))
        for index in 0..<bytes.count {
            let byte = bytes[unchecked: index]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { append(UInt8(ascii: "\\")) }
            append(byte)
        }
        append(UInt8(ascii: "\""))
    }
}
