import ByteBuffers
import DistributedTracing
import HTTPListener
import HTTPMessage

/// How a request's sender is recognised: compiled from `trustedProxies` and `identity`.
struct IdentityRules: Sendable {
    /// Where the user's name may stand.
    enum Source: Sendable {
        /// A request field, believed from trusted peers; the name in lower case.
        case header([UInt8])
        case cookie([UInt8])
    }

    var trusted = CIDRSet()
    var sources: [Source] = []
}

/// Who asks: the client's address, the user, and the request's id. Ranges point into the request's head.
struct RequestIdentity {
    /// Whether what the request says about its way is believed.
    private(set) var peerIsTrusted = false
    /// The client's address; nil for a unix socket.
    private(set) var client: IPAddress?
    /// Who the connection comes from; nil for a unix socket.
    private(set) var peer: IPAddress?
    /// The user's name; empty when unknown.
    private(set) var user = ByteRange()
    /// The id that the request brought, if it is believed; empty when ``newRequestID`` holds.
    private(set) var requestID = ByteRange()
    /// 128 random bits.
    private(set) var newRequestID = HexText(0, 0)

    /// Appends ``newRequestID`` as text.
    func appendNewRequestID(to buffer: inout ByteBuffer) { buffer.append(newRequestID) }

    /// Reads the identity of a request. No input makes this fail.
    mutating func read(
        _ head: borrowing RequestHead, peer address: PeerAddress, rules: IdentityRules, ids: inout IDGenerator
    ) {
        peer = address.isUnix ? nil : address.address
        // Whoever may open the socket's file is as near as a trusted proxy: its permissions decide.
        peerIsTrusted = address.isUnix || (!rules.trusted.isEmpty && rules.trusted.contains(address.address))
        client =
            peerIsTrusted
            ? ForwardingHeaders.clientAddress(of: head, peer: peer, peerIsTrusted: true, trusted: rules.trusted) : peer
        requestID = ByteRange()
        if let index = ForwardingHeaders.requestID(of: head, peerIsTrusted: peerIsTrusted) {
            requestID = head.fields[index].value
        } else {
            newRequestID = HexText(ids.next(), ids.next())
        }
        user = ByteRange()
        for source in rules.sources {
            switch source {
            case .header(let name):
                if peerIsTrusted, let index = head.onlyField(named: name.span) { user = head.fields[index].value }
            case .cookie(let name):
                if let range = head.cookie(named: name.span) { user = range }
            }
            if !user.isEmpty { return }
        }
    }
}

extension RequestHead {
    /// Whether the field at `index` has this name, in any case.
    borrowing func isField(_ index: Int, named name: Span<UInt8>) -> Bool { self.name(index).equalsIgnoringCase(name) }

    /// The index of the field with this name (lower case); nil when there is none, or more than one: two answers to the
    /// question who somebody is are none.
    borrowing func onlyField(named name: Span<UInt8>) -> Int? {
        var found: Int?
        for index in 0..<fields.count where self.name(index).equalsIgnoringCase(name) {
            if found != nil { return nil }
            found = index
        }
        return found
    }

    /// The value of the first cookie with this name (RFC 6265 §4.2.1), without the quotes that may stand around it.
    borrowing func cookie(named name: Span<UInt8>) -> ByteRange? {
        var next = fields.first(.cookie)
        while let index = next {
            let range = fields[index].value
            let text = span(range)
            var start = 0
            while start < text.count {
                while start < text.count, text[start] == UInt8(ascii: " ") { start += 1 }
                let end = text.firstIndex(of: UInt8(ascii: ";"), from: start) ?? text.count
                if let equals = text.firstIndex(of: UInt8(ascii: "="), from: start), equals < end,
                    text.extracting(start..<equals).equals(name)
                {
                    var first = equals + 1
                    var last = end
                    while last > first, text[last - 1] == UInt8(ascii: " ") { last -= 1 }
                    if last - first >= 2, text[first] == UInt8(ascii: "\""), text[last - 1] == UInt8(ascii: "\"") {
                        first += 1
                        last -= 1
                    }
                    return ByteRange(start: Int(range.start) + first, count: last - first)
                }
                start = end + 1
            }
            next = fields.firstIndex(of: .cookie, after: index)
        }
        return nil
    }
}
