import ByteBuffers

extension RouteTable {
    /// Compiles a list of routes; the place of a route in the list is its id.
    ///
    /// - Returns: The table, and what is wrong with the list, in its order. With issues the table still works: of two
    ///   routes in conflict the earlier one wins.
    package static func compile(_ routes: [RouteDefinition]) -> (table: RouteTable, issues: [RouteIssue]) {
        var compiler = RouteTableCompiler(routes)
        for index in routes.indices { compiler.add(index) }
        return compiler.finish()
    }
}

/// Builds a route table. It runs when a configuration is read, never for a request.
struct RouteTableCompiler {
    private struct Edge: Hashable {
        var node: Int
        var literal: [UInt8]
    }

    /// The routes at one leaf, before they are put in order.
    private struct Leaf {
        var exact: [Candidate] = []
        var rest: [Candidate] = []
    }

    private typealias Candidate = RouteTable.Candidate

    private let routes: [RouteDefinition]
    private var nodes = [RouteTable.Node()]
    private var leaves = [Leaf()]
    private var edges: [Edge: Int] = [:]
    private var hosts: [String: UInt32] = [:]
    private var conditions = CompiledConditions()
    private var methods = MethodTable()
    private var parameters: [RouteTable.Parameters] = []
    private var parameterSegments: [UInt16] = []
    private var depth = 0
    private var issues: [RouteIssue] = []

    init(_ routes: [RouteDefinition]) {
        self.routes = routes
    }

    /// Puts the route with this id into the trie; ids come in their order.
    mutating func add(_ id: Int) {
        let route = routes[id]
        let firstParameter = parameterSegments.count
        var node = 0
        var endsInRest = false
        for (level, segment) in route.pattern.segments.enumerated() {
            switch segment {
            case .literal(let bytes): node = child(of: node, literal: bytes)
            case .parameter: node = parameterChild(of: node)
            case .rest: endsInRest = true
            }
            if case .literal = segment { continue }
            parameterSegments.append(UInt16(clamping: level))
        }
        depth = max(depth, route.pattern.segments.count - (endsInRest ? 1 : 0))
        parameters.append(
            RouteTable.Parameters(
                range: ByteRange(start: firstParameter, count: parameterSegments.count - firstParameter),
                endsInRest: endsInRest))

        var subjects: Set<RouteCondition.Subject> = []
        for (index, condition) in route.conditions.enumerated() where !subjects.insert(condition.subject).inserted {
            issues.append(.repeatedCondition(route: id, condition: index))
        }
        guard let bits = methods.learn(route.pattern.methods) else {
            issues.append(.tooManyMethods(route: id))
            return
        }
        let candidate = Candidate(
            route: UInt32(clamping: id), host: hostNumber(route.pattern.host),
            conditions: conditions.append(route.conditions), methods: bits)
        if endsInRest { leaves[node].rest.append(candidate) } else { leaves[node].exact.append(candidate) }
    }

    /// Puts all into flat arrays.
    mutating func finish() -> (table: RouteTable, issues: [RouteIssue]) {
        var candidates: [Candidate] = []
        for index in nodes.indices {
            nodes[index].exact = place(leaves[index].exact, in: &candidates)
            nodes[index].rest = place(leaves[index].rest, in: &candidates)
        }
        let literals = LiteralTable(
            edges.map {
                (owner: UInt32(clamping: $0.key.node), bytes: $0.key.literal, value: UInt32(clamping: $0.value))
            }
        )
        let hostTable = LiteralTable(hosts.map { (owner: 0, bytes: Array($0.key.utf8), value: $0.value) })
        let table = RouteTable(
            nodes: nodes, literals: literals, hosts: hostTable, candidates: candidates, conditions: conditions,
            methods: methods, parameters: parameters, parameterSegments: parameterSegments, depth: depth,
            inMatchingOrder: matchingOrder())
        return (table, issues.sorted { $0.order < $1.order })
    }

    // MARK: - The trie

    private mutating func child(of node: Int, literal: [UInt8]) -> Int {
        let edge = Edge(node: node, literal: literal)
        if let next = edges[edge] { return next }
        let next = addNode()
        edges[edge] = next
        nodes[node].hasLiterals = true
        return next
    }

    private mutating func parameterChild(of node: Int) -> Int {
        if nodes[node].parameter != 0 { return Int(nodes[node].parameter) }
        let next = addNode()
        nodes[node].parameter = UInt32(clamping: next)
        return next
    }

    private mutating func addNode() -> Int {
        nodes.append(RouteTable.Node())
        leaves.append(Leaf())
        return nodes.count - 1
    }

    private mutating func hostNumber(_ host: String?) -> UInt32 {
        guard let host else { return 0 }
        if let number = hosts[host] { return number }
        let number = UInt32(clamping: hosts.count + 1)
        hosts[host] = number
        return number
    }

    // MARK: - Leaves

    /// Orders the routes of one leaf by how specific they are, looks for conflicts among them, and adds them to the
    /// table.
    private mutating func place(_ leaf: [Candidate], in candidates: inout [Candidate]) -> RouteTable.CandidateList {
        let ordered = leaf.sorted { Self.rank($0) < Self.rank($1) }
        var start = 0
        while start < ordered.count {
            var end = start
            while end < ordered.count, Self.isAsSpecific(ordered[start], ordered[end]) { end += 1 }
            findConflicts(ordered[start..<end])
            start = end
        }
        let list = RouteTable.CandidateList(
            start: UInt32(clamping: candidates.count),
            hosted: UInt32(clamping: ordered.count { $0.host != 0 }),
            count: UInt32(clamping: ordered.count))
        candidates += ordered
        return list
    }

    /// The order of the routes of one leaf: with a host before without, with a method before without, more conditions
    /// before fewer, then as in the list.
    private static func rank(_ candidate: Candidate) -> (UInt32, Int, Int, UInt32) {
        (
            candidate.host == 0 ? .max : candidate.host, candidate.methods == 0 ? 1 : 0,
            -Int(candidate.conditions.count), candidate.route
        )
    }

    private static func isAsSpecific(_ left: Candidate, _ right: Candidate) -> Bool {
        left.host == right.host && (left.methods == 0) == (right.methods == 0)
            && left.conditions.count == right.conditions.count
    }

    /// Of equally specific routes, any two that one request can match are in conflict.
    private mutating func findConflicts(_ candidates: ArraySlice<Candidate>) {
        for (offset, later) in candidates.enumerated() {
            for earlier in candidates.prefix(offset) {
                let shareMethod = later.methods == 0 || later.methods & earlier.methods != 0
                if shareMethod, canBothHold(Int(earlier.route), Int(later.route)) {
                    issues.append(.conflict(Int(earlier.route), Int(later.route)))
                    break
                }
            }
        }
    }

    private func canBothHold(_ first: Int, _ second: Int) -> Bool {
        for mine in routes[first].conditions {
            for theirs in routes[second].conditions where mine.excludes(theirs) { return false }
        }
        return true
    }

    // MARK: - The listing

    private func matchingOrder() -> [Int] {
        routes.indices.sorted { left, right in
            if let precedes = routes[left].pattern.precedes(routes[right].pattern) { return precedes }
            if routes[right].pattern.precedes(routes[left].pattern) != nil { return false }
            let conditions = (routes[left].conditions.count, routes[right].conditions.count)
            return conditions.0 != conditions.1 ? conditions.0 > conditions.1 : left < right
        }
    }
}

extension RouteIssue {
    /// Issues are reported in the order of the routes at which they are seen.
    fileprivate var order: Int {
        switch self {
        case .conflict(_, let later): later
        case .repeatedCondition(let route, _), .tooManyMethods(let route): route
        }
    }
}
