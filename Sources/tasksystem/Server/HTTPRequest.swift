import Foundation
import NIOHTTP1

/// One request, its body read to the end.
struct HTTPRequest: Sendable {
    /// The request line and the header lines as they were received: order, case and duplicates kept.
    var head: HTTPRequestHead
    /// Empty when the responder asked only for the body's size.
    var body: Data
    /// Bytes of content received, chunked framing taken off.
    var bodySize: Int
    /// Segments of the path, percent-decoded, empty ones left out.
    var path: [String]
    var query: QueryParameters
    /// Numbers that stood in the route's `{…}` places, in order.
    var identifiers: [Int64] = []
    /// When its head had arrived.
    var received: RequestClock
    /// Its spans, where it is recorded.
    var trace: RequestTrace?

    init(
        head: HTTPRequestHead, body: Data = Data(), bodySize: Int? = nil, received: RequestClock = RequestClock()
    ) {
        self.head = head
        self.received = received
        self.body = body
        self.bodySize = bodySize ?? body.count
        path = Self.segments(of: head.uri)
        query = QueryParameters(target: head.uri)
    }

    var method: HTTPMethod { head.method }

    /// The number in the route's first `{…}` place; 0, which no record has, when the route has none.
    var identifier: Int64 { identifiers.first ?? 0 }

    /// The user on whose behalf the request comes, for the audit trail. The gateway's identity header; not a proof of
    /// anything: the services trust the network that they stand in.
    var actor: Int64? { head.headers.first(name: "x-user-id").flatMap { Int64($0) } }

    /// The segments of a request target's path. A target that does not begin with a slash (`*`, an absolute URI) is one
    /// segment that no route has.
    static func segments(of target: String) -> [String] {
        let path = target.prefix { $0 != "?" && $0 != "#" }
        guard path.hasPrefix("/") else { return [String(path)] }
        return path.split(separator: "/").map { $0.removingPercentEncoding ?? String($0) }
    }
}

/// The members of a query, decoded, in order.
struct QueryParameters: Sendable, Equatable {
    private(set) var members: [Member] = []

    struct Member: Sendable, Equatable {
        var name: String
        var value: String
    }

    init(target: String) {
        guard let start = target.firstIndex(of: "?") else { return }
        let query = target[target.index(after: start)...].prefix { $0 != "#" }
        members = query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Member(name: Self.decoded(parts[0]), value: parts.count > 1 ? Self.decoded(parts[1]) : "")
        }
    }

    /// The first value of that name.
    subscript(_ name: String) -> String? {
        members.first { $0.name == name }?.value
    }

    private static func decoded(_ text: Substring) -> String {
        let spaced = text.replacing("+", with: " ")
        return spaced.removingPercentEncoding ?? String(spaced)
    }
}
