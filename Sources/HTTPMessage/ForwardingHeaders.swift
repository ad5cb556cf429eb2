package import ByteBuffers

/// Which fields of a message go on to the next hop (RFC 9110 §7.6, http-behaviour §4 and §5).
///
/// The client's fields are copied first, without any that only the gateway may write; the gateway's own come after, so
/// that nothing that a client sends can stand in for them or take them away.
package enum ForwardingHeaders {
    /// Appends every field of a request that may pass, in order and byte for byte, duplicates included.
    ///
    /// Not passed: hop-by-hop fields and those that `Connection` names; `Host`, the framing, `Via`, the `X-Forwarded-*`
    /// and `Forwarded` chain, `X-Request-Id` and trace context, which the gateway writes anew; `Expect`, `Proxy`,
    /// `HTTP2-Settings`; what the policy takes away; from an untrusted peer everything that speaks in a proxy's name;
    /// every spelling of such names with `_`. A `Connection` option that names a field of a trusted proxy or an
    /// identity field has no power.
    ///
    /// - Parameters:
    ///   - head: The request; its fields stand as lines in its bytes.
    ///   - policy: The names that the route and the configuration take away, or those that alone may pass.
    ///   - peerIsTrusted: Whether the connection comes from one of the trusted proxies.
    ///   - out: What the lines are appended to.
    package static func appendEndToEndFields(
        of head: borrowing RequestHead, policy: FieldPolicy, peerIsTrusted: Bool, into out: inout ByteBuffer
    ) {
        let hasNamedFields = head.connection.contains(.namesFields)
        var lines = LineRun()
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            switch field.id.passage {
            case .never: continue
            case .fromTrustedPeer where !peerIsTrusted: continue
            case .fromTrustedPeer, .always: break
            }
            let name = head.bytes.span(field.name)
            switch policy.verdict(on: name, peerIsTrusted: peerIsTrusted) {
            case .remove: continue
            case .keep: break
            // What a trusted proxy says of the request's way is not the client's, of whom the list is.
            case .unlisted where field.id.passage == .always: continue
            case .unlisted, .unknown:
                if hasNamedFields, field.id.passage == .always, head.fields.connectionNames(name, in: head.bytes) {
                    continue
                }
            }
            lines.add(field, of: head.bytes, into: &out)
        }
        lines.flush(head.bytes, into: &out)
    }

    /// Appends every field of a response that may pass, in order and byte for byte; `Set-Cookie` fields stay apart.
    ///
    /// Not passed: hop-by-hop fields and those that `Connection` names, the framing and `Via`, which the gateway writes
    /// anew, its own answer fields (`Banyan-*`, `X-Request-Id`), and what the policy removes.
    package static func appendEndToEndFields(
        of head: borrowing ResponseHead, removing policy: FieldPolicy, into out: inout ByteBuffer
    ) {
        let hasNamedFields = head.connection.contains(.namesFields)
        var lines = LineRun()
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            guard field.id.passesDownstream else { continue }
            let name = head.bytes.span(field.name)
            guard policy.verdict(on: name, peerIsTrusted: false) == .unknown else { continue }
            if hasNamedFields, head.fields.connectionNames(name, in: head.bytes) { continue }
            lines.add(field, of: head.bytes, into: &out)
        }
        lines.flush(head.bytes, into: &out)
    }

    /// Appends the trailers that may pass: those of the section that the policy does not take away. Identity fields
    /// never stand in a trailer, whoever sends them.
    package static func appendTrailers(
        of trailers: borrowing TrailerSection, policy: FieldPolicy, into out: inout ByteBuffer
    ) {
        var lines = LineRun()
        for index in 0..<trailers.fields.count {
            let field = trailers.fields[index]
            guard policy.verdict(on: trailers.bytes.span(field.name), peerIsTrusted: false) == .unknown else {
                continue
            }
            lines.add(field, of: trailers.bytes, into: &out)
        }
        lines.flush(trailers.bytes, into: &out)
    }
}

/// Lines that follow each other in the received bytes and are copied in one go.
private struct LineRun {
    private var start = 0
    private var end = 0

    /// Adds the line of `field`; what was gathered is written out if the line does not follow it.
    mutating func add(_ field: HeaderField, of bytes: borrowing ByteBuffer, into out: inout ByteBuffer) {
        let lineStart = Int(field.name.start)
        // Between two lines that follow each other stand CR and LF, and no white space that was trimmed off.
        if lineStart != end + 2 || end == 0 {
            flush(bytes, into: &out)
            start = lineStart
        }
        end = field.value.end
    }

    /// Writes out what was gathered.
    mutating func flush(_ bytes: borrowing ByteBuffer, into out: inout ByteBuffer) {
        guard end > start else { return }
        out.append(bytes.span(ByteRange(start: start, count: end - start)))
        out.append("\r\n")
        start = 0
        end = 0
    }
}

extension HeaderName {
    /// Who may send a field upstream.
    fileprivate enum Passage {
        case always
        case fromTrustedPeer
        case never
    }

    fileprivate var passage: Passage {
        // The numbers of the names are ordered by what the names are for.
        switch rawValue {
        case HeaderName.xForwarded.rawValue...HeaderName.banyan.rawValue: .fromTrustedPeer
        case HeaderName.host.rawValue...HeaderName.framingLookalike.rawValue: .never
        default: .always
        }
    }

    /// Whether a field of an upstream's answer may go to the client.
    fileprivate var passesDownstream: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .proxyAuthenticate, .proxyAuthorization: false
        case .te, .trailer, .upgrade, .http2Settings: false
        case .contentLength, .transferEncoding, .via: false
        case .banyan, .xRequestID, .lookalike, .framingLookalike: false
        default: true
        }
    }
}
