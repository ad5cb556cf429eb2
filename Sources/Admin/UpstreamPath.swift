import HTTPMessage

/// What a path says about upstreams.
enum UpstreamPath: Equatable {
    /// `/upstreams/NAME`: how it does.
    case one(String)
    /// `/upstreams/NAME/active`: which of its pools gets the requests.
    case active(String)
    /// `/upstreams/NAME/servers`: its servers.
    case servers(String)

    /// Nil for any other path. Names need no escapes: they are letters, digits, `.`, `_` and `-`.
    init?(_ path: String) {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard segments.first == "upstreams", (2...3).contains(segments.count) else { return nil }
        let name = String(segments[segments.startIndex + 1])
        guard !name.isEmpty else { return nil }
        guard segments.count == 3 else {
            self = .one(name)
            return
        }
        switch segments.last {
        case "active": self = .active(name)
        case "servers": self = .servers(name)
        default: return nil
        }
    }

    /// The methods that mean something there.
    var methods: [Method] {
        switch self {
        case .one: [.get, .head]
        case .active, .servers: [.put, .delete]
        }
    }

    /// The same for an `Allow` field.
    var allow: String {
        switch self {
        case .one: "GET, HEAD"
        case .active, .servers: "PUT, DELETE"
        }
    }

    /// The upstream.
    var name: String {
        switch self {
        case .one(let name), .active(let name), .servers(let name): name
        }
    }
}
