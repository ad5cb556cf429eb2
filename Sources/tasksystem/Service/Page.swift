import Foundation
import GRDB
import NIOHTTP1

/// Which part of a list is asked for: `?page=2&size=20`.
struct PageRequest: Equatable, Sendable {
    static let defaultSize = 20
    static let largestSize = 100

    /// From 1.
    var page = 1
    var size = defaultSize

    var offset: Int { (page - 1) * size }

    init(query: inout QueryReader, defaultSize: Int = defaultSize) {
        page = query.integer("page", in: 1...1_000_000).map { Int($0) } ?? 1
        size = query.integer("size", in: 1...Int64(Self.largestSize)).map { Int($0) } ?? defaultSize
    }
}

/// One page of a list.
struct Page<Item: Encodable & Sendable>: Encodable, Sendable {
    var items: [Item]
    var page: Int
    var size: Int
    /// Of the whole list, after filters.
    var total: Int
    var links: Links

    /// Targets of the neighbouring pages; `next` and `prev` are absent at the ends.
    struct Links: Encodable, Equatable, Sendable {
        var current: String
        var first: String
        var last: String
        var prev: String?
        var next: String?

        enum CodingKeys: String, CodingKey {
            case current = "self"
            case first, last, prev, next
        }
    }

    init(items: [Item], request: PageRequest, total: Int, target: String) {
        self.items = items
        self.total = total
        page = request.page
        size = request.size
        let last = max(1, (total + request.size - 1) / request.size)
        let link = { (number: Int) in Self.link(target, page: number, size: request.size) }
        links = Links(
            current: link(request.page), first: link(1), last: link(last),
            prev: request.page > 1 ? link(min(request.page - 1, last)) : nil,
            next: request.page < last ? link(request.page + 1) : nil)
    }

    /// The request's own target with another page; other parameters stay as they were sent, but faults do not: who
    /// follows a link did not ask for one.
    private static func link(_ target: String, page: Int, size: Int) -> String {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query: Substring = parts.count > 1 ? parts[1] : ""
        var members: [Substring] = query.split(separator: "&").filter { (member: Substring) -> Bool in
            switch member.prefix(while: { $0 != "=" }) {
            case "page", "size", "delay", "cut": false
            default: true
            }
        }
        members += ["page=\(page)", "size=\(size)"]
        return "\(parts[0])?\(members.joined(separator: "&"))"
    }
}

extension QueryInterfaceRequest where RowDecoder: FetchableRecord & Encodable & Sendable {
    /// The page of this list that the request asks for.
    func page(_ page: PageRequest, of request: HTTPRequest, in db: Database) throws -> Page<RowDecoder> {
        let total = try fetchCount(db)
        let items = try limit(page.size, offset: page.offset).fetchAll(db)
        return Page(items: items, request: page, total: total, target: request.head.uri)
    }
}
