import ByteBuffers

/// An attribute of a request as a rule names it: resolved when the rule is compiled.
public struct Attribute: ~Escapable {
    /// The attributes of a request, and the groups of them.
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// The user whom the request is for; `fractional` makes its choice by it.
        case targetingKey
        case user, method, path, host, route
        /// The client's address behind trusted proxies: `ip`, or `client.ip`.
        case ip
        /// `headers.NAME`, or `header.NAME`; the name is in lower case.
        case header
        /// `cookies.NAME`.
        case cookie
        /// `query.NAME`.
        case query
        /// `claims.NAME`.
        case claim
        /// Anything else; the name is the whole path.
        case other

        // What the evaluator answers by itself; a context is never asked for these.
        /// `$flagd.flagKey`.
        case flagKey
        /// `$flagd.timestamp`.
        case timestamp
        /// `$flagd`.
        case flagd
        /// The empty path: all data.
        case everything
    }

    /// Which attribute, or which group of them.
    public let kind: Kind
    /// The name within a group, the whole path of `other`, empty for the rest. A name holds whatever follows the first
    /// dot, further dots included.
    public let name: Span<UInt8>

    /// An attribute of `kind`, called `name` within its group.
    @_lifetime(copy name)
    public init(kind: Kind, name: Span<UInt8>) {
        self.kind = kind
        self.name = name
    }

    /// What `path` refers to, and where in it the name within a group begins.
    static func resolve(_ path: Span<UInt8>) -> (kind: Kind, nameStart: Int) {
        let dot = path.firstIndex(of: UInt8(ascii: ".")) ?? path.count
        let head = path.extracting(0..<dot)
        if dot == path.count {
            let kind = single(path)
            return (kind, kind == .other ? 0 : path.count)
        }
        let name = path.extracting((dot + 1)..<path.count)
        if head.equals("$flagd") {
            if name.equals("flagKey") { return (.flagKey, path.count) }
            if name.equals("timestamp") { return (.timestamp, path.count) }
        }
        if head.equals("client"), name.equals("ip") { return (.ip, path.count) }
        let group: Kind? =
            if head.equals("headers") || head.equals("header") { .header } else if head.equals("cookies") {
                .cookie
            } else if head.equals("query") { .query } else if head.equals("claims") { .claim } else { nil }
        guard let group, !name.isEmpty else { return (.other, 0) }
        return (group, dot + 1)
    }

    private static func single(_ path: Span<UInt8>) -> Kind {
        if path.isEmpty { return .everything }
        if path.equals("targetingKey") { return .targetingKey }
        if path.equals("user") { return .user }
        if path.equals("method") { return .method }
        if path.equals("path") { return .path }
        if path.equals("host") { return .host }
        if path.equals("route") { return .route }
        if path.equals("ip") { return .ip }
        if path.equals("$flagd") { return .flagd }
        return .other
    }
}
