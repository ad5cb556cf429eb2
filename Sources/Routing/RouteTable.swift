package import ByteBuffers
package import HTTPMessage

/// What matching a request led to.
package enum RouteMatch: Equatable, Sendable {
    /// The route with this id, its place in the list that the table was compiled from.
    case route(Int)
    /// No route matches the path, or none whose conditions hold: 404.
    case notFound
    /// Routes match, but none for the method: 405, with these methods in `Allow` (RFC 9110 §15.5.6).
    case methodNotAllowed(AllowedMethods)
}

/// All routes of one configuration, compiled for matching: a trie of path segments in flat arrays.
///
/// At each segment the search follows the literal before `{name}` before `{name...}` and steps back where a choice led
/// nowhere, so that the first leaf with a candidate that fits is the most specific one. The trie is a tree: no node is
/// visited twice for one request, and a request of n segments visits at most 2ⁿ of them, so that the cost is bounded by
/// the path where patterns are few and by the patterns where the path is long. Literals and hosts are found by hash, so
/// that the number of routes plays no part. Matching allocates nothing, takes no lock and counts no reference.
package struct RouteTable: Sendable {
    /// A node of the trie: where a run of segments has led to.
    struct Node {
        /// The node behind `{name}`; 0 for none, since the root is behind nothing.
        var parameter: UInt32 = 0
        /// Whether any literal leads on from here.
        var hasLiterals = false
        /// The routes whose path ends here.
        var exact = CandidateList()
        /// The routes whose path goes on with `{name...}`.
        var rest = CandidateList()
    }

    /// A run of candidates of one leaf: first those with a host, in the order of its number, then those without.
    struct CandidateList {
        var start: UInt32 = 0
        var hosted: UInt32 = 0
        var count: UInt32 = 0
    }

    /// A route at its leaf, with what is left to compare.
    struct Candidate {
        var route: UInt32
        /// The number of the host; 0 for any.
        var host: UInt32
        var conditions: ByteRange
        /// The methods as bits of the method table; 0 for any.
        var methods: UInt64
    }

    /// Which segments of the path are a route's parameters.
    struct Parameters {
        /// The places in `parameterSegments`.
        var range: ByteRange
        var endsInRest: Bool
    }

    var nodes: [Node]
    var literals: LiteralTable
    var hosts: LiteralTable
    var candidates: [Candidate]
    var conditions: CompiledConditions
    var methods: MethodTable
    var parameters: [Parameters]
    var parameterSegments: [UInt16]
    /// The most segments that a pattern has before its `{name...}`.
    var depth: Int

    /// The ids of the routes as `banyan check` lists them: where two can match one request, the one that wins is first.
    package internal(set) var inMatchingOrder: [Int]

    /// The number of routes.
    package var count: Int { inMatchingOrder.count }

    /// Finds the route of a request.
    ///
    /// - Parameters:
    ///   - head: The request; its normalised path is matched.
    ///   - captures: Takes what the parameters of the route stand for.
    package borrowing func match(_ head: borrowing RequestHead, captures: inout RouteCaptures) -> RouteMatch {
        captures.removeAll()
        let path = head.span(head.path)
        guard path.count > 0, path[0] == UInt8(ascii: "/") else { return .notFound }
        captures.split(path, limit: depth + 1, longest: literals.longest)
        var request = Request(
            method: methods.bit(of: head.method, text: head.span(head.methodRange)),
            host: hostNumber(of: head))
        let end = captures.segmentCount

        var level = 0
        captures.trail[0] = 0
        captures.visits = 1
        while true {
            let place = captures.trail[level]
            let index = Int(place & Self.nodeMask)
            let node = nodes.span[index]
            switch place & ~Self.nodeMask {
            case Self.untried:
                if level == end {
                    captures.trail[level] = UInt32(index) | Self.triedAll
                    if let route = firstFitting(node.exact, head, &request) {
                        capture(route, head, &captures)
                        return .route(route)
                    }
                    continue
                }
                captures.trail[level] = UInt32(index) | Self.triedLiterals
                if node.hasLiterals {
                    let segment = captures.segment(level)
                    if Int(segment.count) <= literals.longest {
                        let start = Int(segment.start)
                        let next = literals.value(
                            owner: UInt32(index), hash: segment.hash,
                            text: path.extracting(start..<(start + Int(segment.count))))
                        if next != 0 {
                            level += 1
                            captures.trail[level] = next
                            captures.visits += 1
                        }
                    }
                }
            case Self.triedLiterals:
                captures.trail[level] = UInt32(index) | Self.triedAll
                if node.parameter != 0, captures.segment(level).count > 0 {
                    level += 1
                    captures.trail[level] = node.parameter
                    captures.visits += 1
                }
            default:
                if let route = firstFitting(node.rest, head, &request) {
                    capture(route, head, &captures)
                    return .route(route)
                }
                if level == 0 {
                    return request.allowed == 0
                        ? .notFound : .methodNotAllowed(AllowedMethods(bits: request.allowed))
                }
                level -= 1
            }
        }
    }

    /// Appends the value of the `Allow` field for a request that this table refused.
    package func appendAllow(_ allowed: AllowedMethods, to buffer: inout ByteBuffer) {
        methods.append(allowed, to: &buffer)
    }

    // MARK: - The search

    /// What of a request is compared at each leaf, and what the leaves say about methods.
    private struct Request {
        var method: UInt64
        var host: UInt32
        var allowed: UInt64 = 0
    }

    /// What was tried at a node, in the two upper bits beside its number.
    private static let nodeMask: UInt32 = 0x3FFF_FFFF
    private static let untried: UInt32 = 0
    private static let triedLiterals: UInt32 = 0x4000_0000
    private static let triedAll: UInt32 = 0x8000_0000

    /// The number of the request's host among those that routes name, or 0. A dot at the end of a name is left out.
    private func hostNumber(of head: borrowing RequestHead) -> UInt32 {
        if hosts.longest == 0 { return 0 }
        let name = head.span(head.host)
        let hasDot = name.count > 1 && name[name.count - 1] == UInt8(ascii: ".")
        let count = hasDot ? name.count - 1 : name.count
        if count > hosts.longest { return 0 }
        var hash = LiteralTable.emptyHash
        for index in 0..<count { hash = LiteralTable.extend(hash, name[index].asciiLowercased) }
        return hosts.value(owner: 0, hash: hash, text: name.extracting(0..<count), ignoringCase: true)
    }

    /// The most specific candidate that fits: those for the host before those for any.
    private func firstFitting(
        _ list: CandidateList, _ head: borrowing RequestHead, _ request: inout Request
    ) -> Int? {
        if list.count == 0 { return nil }
        let start = Int(list.start)
        let hosted = start + Int(list.hosted)
        if request.host != 0, list.hosted > 0 {
            let candidates = candidates.span
            var low = start
            var high = hosted
            while low < high {
                let middle = (low + high) / 2
                if candidates[middle].host < request.host { low = middle + 1 } else { high = middle }
            }
            var end = low
            while end < hosted, candidates[end].host == request.host { end += 1 }
            if let route = firstFitting(low..<end, head, &request) { return route }
        }
        return firstFitting(hosted..<(start + Int(list.count)), head, &request)
    }

    /// The most specific of these candidates that fits: those with a method before those without, and among them those
    /// with more conditions first. For HEAD a route that names it goes before one that serves it through GET.
    private func firstFitting(
        _ range: Range<Int>, _ head: borrowing RequestHead, _ request: inout Request
    ) -> Int? {
        var throughGet: Int?
        for index in range {
            let candidate = candidates.span[index]
            let isUnlimited = candidate.methods == 0
            if isUnlimited, let throughGet { return throughGet }
            let fits =
                isUnlimited ? request.method & methods.unrouted == 0 : candidate.methods & request.method != 0
            let fitsThroughGet =
                request.method == methods.head && throughGet == nil && candidate.methods & methods.get != 0
            guard conditions.hold(candidate.conditions, in: head) else { continue }
            if fits { return Int(candidate.route) }
            if fitsThroughGet {
                throughGet = Int(candidate.route)
            } else {
                request.allowed |= isUnlimited ? methods.usual : candidate.methods
                if candidate.methods & methods.get != 0 { request.allowed |= methods.head }
            }
        }
        return throughGet
    }

    /// Notes what the parameters of `route` stand for.
    private func capture(_ route: Int, _ head: borrowing RequestHead, _ captures: inout RouteCaptures) {
        let entry = parameters.span[route]
        let base = Int(head.path.start)
        let last = entry.range.end - 1
        for index in Int(entry.range.start)..<entry.range.end {
            let level = Int(parameterSegments.span[index])
            if index == last, entry.endsInRest {
                let start =
                    level < captures.segmentCount
                    ? Int(captures.segment(level).start) : Int(head.path.count)
                captures.append(ByteRange(start: base + start, count: Int(head.path.count) - start))
            } else {
                let segment = captures.segment(level)
                captures.append(ByteRange(start: base + Int(segment.start), count: Int(segment.count)))
            }
        }
    }
}
