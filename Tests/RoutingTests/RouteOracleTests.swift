import ByteBuffers
import HTTPMessage
import Testing

@testable import Routing

/// The table against a matcher that knows no trie: it tries every pattern and compares those that match two by two, by
/// the rule as it is written down.
struct RouteOracleTests {
    /// One route that matches the path, host and conditions of a request.
    struct Match {
        var id: Int
        /// For each segment of the path 0 for a literal, 1 for a parameter; a rest is 2 and ends the list, as −1 ends
        /// the list of a path that is used up.
        var kinds: [Int]
        var hasHost: Bool
        /// 3 for a method that is named, 2 for HEAD through GET, 1 for a route without methods, 0 for another method.
        var method: Int
        var conditions: Int
        var captures: [String]
    }

    static func matches(_ routes: [RouteDefinition], _ head: borrowing RequestHead) -> [Match] {
        let path = head.span(head.path).text
        let method = head.span(head.methodRange).text
        let host = head.span(head.host).text.lowercased()
        let query = head.span(head.query).text
        var fields: [String: String] = [:]
        for index in (0..<head.fields.count).reversed() {
            fields[head.name(index).text.lowercased()] = head.value(index).text
        }
        var result: [Match] = []
        for (id, route) in routes.enumerated() {
            guard
                let (kinds, captures) = shape(
                    route.pattern,
                    path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init))
            else { continue }
            if let wanted = route.pattern.host, wanted != host { continue }
            let holds = route.conditions.allSatisfy { condition in
                let value: String? =
                    switch condition.subject {
                    case .header(let name): fields[name]
                    case .query(let name):
                        query.split(separator: "&").first { $0.split(separator: "=").first.map(String.init) == name }
                            .map { String($0.dropFirst(name.count + 1)) }
                    }
                return switch condition.requirement {
                case .equals(let wanted): value == wanted
                case .present: value != nil
                case .absent: value == nil
                }
            }
            if !holds { continue }
            let methods = route.pattern.methods
            let rank =
                methods.isEmpty
                ? (method == "TRACE" ? 0 : 1)
                : methods.contains(method)
                    ? 3
                    : method == "HEAD" && methods.contains("GET") ? 2 : 0
            result.append(
                Match(
                    id: id, kinds: kinds, hasHost: route.pattern.host != nil, method: rank,
                    conditions: route.conditions.count, captures: captures))
        }
        return result
    }

    static func shape(_ pattern: RoutePattern, _ path: [String]) -> (kinds: [Int], captures: [String])? {
        var kinds: [Int] = []
        var captures: [String] = []
        for (index, segment) in pattern.segments.enumerated() {
            switch segment {
            case .literal(let bytes):
                guard index < path.count, path[index] == String(decoding: bytes, as: UTF8.self) else { return nil }
                kinds.append(0)
            case .parameter:
                guard index < path.count, !path[index].isEmpty else { return nil }
                kinds.append(1)
                captures.append(path[index])
            case .rest:
                guard index <= path.count else { return nil }
                return (kinds + [2], captures + [path[index...].joined(separator: "/")])
            }
        }
        return kinds.count == path.count ? (kinds + [-1], captures) : nil
    }

    /// Whether the first is more specific than the second, for the request that both match.
    static func isMoreSpecific(_ left: Match, _ right: Match) -> Bool {
        for (mine, theirs) in zip(left.kinds, right.kinds) where mine != theirs { return mine < theirs }
        if left.hasHost != right.hasHost { return left.hasHost }
        if left.method != right.method { return left.method > right.method }
        return left.conditions > right.conditions
    }

    static func allow(_ routes: [RouteDefinition], _ matches: [Match]) -> Set<String> {
        var methods: Set<String> = []
        for match in matches {
            let named = routes[match.id].pattern.methods
            methods.formUnion(named.isEmpty ? ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] : named)
            if named.contains("GET") { methods.insert("HEAD") }
        }
        return methods
    }

    // MARK: - Generated routes and requests

    static func routes(_ generator: inout SeededGenerator) throws -> [RouteDefinition] {
        var paths: [String] = []
        return try (0..<Int.random(in: 1...16, using: &generator)).map { _ in
            let levels = [1, 2, 2, 2, 3, 4].randomElement(using: &generator) ?? 1
            var path = ""
            for level in 0..<levels {
                let isLast = level == levels - 1
                switch Int.random(in: 0..<10, using: &generator) {
                case 0..<5: path += "/" + (["a", "a", "b", "a%2Fb"].randomElement(using: &generator) ?? "a")
                case 5: path += "/"
                case 6..<9: path += "/{p\(level)}"
                default: path += isLast ? "/{r...}" : "/{p\(level)}"
                }
            }
            // Routes of one path are where methods, hosts and conditions decide.
            if let earlier = paths.randomElement(using: &generator), Bool.random(using: &generator) { path = earlier }
            paths.append(path)
            let methods = ["", "", "GET ", "HEAD ", "POST ", "GET|POST ", "HEAD|PURGE ", "TRACE|GET "]
            let hosts = ["", "", "", "one.test", "two.test"]
            let conditions: [RouteCondition] =
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: [RouteCondition(.header("x-v"), .equals("1"))]
                case 1: [RouteCondition(.header("x-v"), .absent)]
                case 2: [RouteCondition(.query("q"), .present)]
                case 3: [RouteCondition(.header("x-v"), .present), RouteCondition(.query("q"), .equals("2"))]
                default: []
                }
            let text =
                (methods.randomElement(using: &generator) ?? "") + (hosts.randomElement(using: &generator) ?? "") + path
            return RouteDefinition(try RoutePattern(parsing: text), when: conditions)
        }
    }

    static func request(_ routes: [RouteDefinition], _ generator: inout SeededGenerator) -> TestRequest {
        var path = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
            "/" + (["a", "a", "b", "b", "", "c", "%61", "a%2fb"].randomElement(using: &generator) ?? "a")
        }.joined()
        if let route = routes.randomElement(using: &generator), Int.random(in: 0..<3, using: &generator) > 0 {
            path = Self.path(of: route.pattern)
        }
        let query = ["", "", "?q", "?q=2", "?q=1&q=2", "?r&q=2"].randomElement(using: &generator) ?? ""
        let method = ["GET", "GET", "HEAD", "POST", "PURGE", "TRACE", "BREW"].randomElement(using: &generator) ?? "GET"
        var request = TestRequest(
            "\(method) \(path)\(query)",
            host: ["one.test", "Two.Test:81", "three.test"].randomElement(using: &generator) ?? "")
        if let field = ["x-v: 1", "X-V: 2", nil].randomElement(using: &generator) ?? nil {
            request.fields.append(field)
        }
        return request
    }

    @Test("the trie and the rule agree on generated routes and requests", arguments: 0..<8)
    func agrees(_ seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        var captures = RouteCaptures()
        var found = 0
        var refused = 0
        var ties = 0
        for _ in 0..<150 {
            let routes = try Self.routes(&generator)
            let (table, issues) = RouteTable.compile(routes)
            for _ in 0..<25 {
                let request = Self.request(routes, &generator)
                let matches = try request.withHead { Self.matches(routes, $0) }
                let candidates = matches.filter { $0.method > 0 }
                let best = candidates.filter { one in !candidates.contains { Self.isMoreSpecific($0, one) } }
                let answer = try table.answer(request, &captures)
                let context = "\(request) in \(routes.map(\.pattern.description))"
                if let winner = best.first {
                    found += 1
                    // Of equals the first in the list wins, and the others are reported as in conflict.
                    #expect(answer == Answer(text: "\(winner.id)", captures: winner.captures), "\(context)")
                    for tied in best.dropFirst() {
                        ties += 1
                        let isReported = issues.contains { issue in
                            if case .conflict(_, tied.id) = issue { return true }
                            return false
                        }
                        #expect(isReported, "\(context)")
                    }
                } else if matches.isEmpty {
                    #expect(answer.text == "404", "\(context)")
                } else {
                    refused += 1
                    let listed = Set(answer.text.dropFirst(4).split(separator: ", ").map(String.init))
                    #expect(answer.text.hasPrefix("405 ") && listed == Self.allow(routes, matches), "\(context)")
                }
            }
        }
        // The test has shown something only if every outcome came often.
        #expect(found > 1_000 && refused > 100 && ties > 20, "\(found) \(refused) \(ties)")
    }

    @Test("for every reported conflict there is a request that both routes match equally well", arguments: 0..<4)
    func conflictsAreReal(_ seed: UInt64) throws {
        var generator = SeededGenerator(state: 100 + seed)
        var count = 0
        for _ in 0..<300 {
            let routes = try Self.routes(&generator)
            for case .conflict(let first, let second) in RouteTable.compile(routes).issues {
                count += 1
                let witness = Self.witness(routes[first], routes[second])
                let matches = try witness.withHead { Self.matches(routes, $0) }
                let left = try #require(matches.first { $0.id == first })
                let right = try #require(matches.first { $0.id == second })
                #expect(left.method > 0 && right.method > 0)
                #expect(!Self.isMoreSpecific(left, right) && !Self.isMoreSpecific(right, left))
            }
        }
        #expect(count > 50)
    }

    /// A path that the pattern matches.
    static func path(of pattern: RoutePattern) -> String {
        pattern.segments.map { segment in
            switch segment {
            case .literal(let bytes): "/" + String(decoding: bytes, as: UTF8.self)
            case .parameter: "/value"
            case .rest: "/rest"
            }
        }.joined()
    }

    /// A request made of the parts of two routes.
    static func witness(_ first: RouteDefinition, _ second: RouteDefinition) -> TestRequest {
        let path = Self.path(of: first.pattern)
        let shared = first.pattern.methods.filter { second.pattern.methods.contains($0) }
        var query = ""
        var fields: [String] = []
        for condition in first.conditions + second.conditions {
            switch (condition.subject, condition.requirement) {
            case (.query(let name), .equals(let value)): query = "?\(name)=\(value)"
            case (.query(let name), .present): if query.isEmpty { query = "?\(name)" }
            case (.header(let name), .equals(let value)): fields = ["\(name): \(value)"]
            case (.header(let name), .present): if fields.isEmpty { fields = ["\(name): any"] }
            default: break
            }
        }
        var request = TestRequest("\(shared.first ?? "GET") \(path)\(query)", host: first.pattern.host ?? "three.test")
        request.fields = fields
        return request
    }
}
