import NIOHTTP1

/// One thing that can be asked for: a method, a pattern such as `/tasks/{id}/comments`, and what answers it.
struct Route: Sendable {
    typealias Handler = @Sendable (HTTPRequest) async throws -> HTTPReply

    var method: HTTPMethod
    var pattern: String
    var handler: Handler

    private let segments: [Substring]

    init(_ method: HTTPMethod, _ pattern: String, _ handler: @escaping Handler) {
        self.method = method
        self.pattern = pattern
        self.handler = handler
        segments = pattern.split(separator: "/")
    }

    /// The numbers in the pattern's `{…}` places, or nil when the path is another. Only a positive decimal number
    /// without sign or leading zeros fits such a place, so that a record has one address.
    func identifiers(in path: [String]) -> [Int64]? {
        guard path.count == segments.count else { return nil }
        var identifiers: [Int64] = []
        for (segment, part) in zip(segments, path) {
            if segment.hasPrefix("{") {
                guard let number = Int64(part), number > 0, String(number) == part else { return nil }
                identifiers.append(number)
            } else if segment != part {
                return nil
            }
        }
        return identifiers
    }
}

/// Finds the route of a request.
struct Router: Sendable {
    var routes: [Route]

    /// - Throws: ``Problem`` 404 when no route has the path, 405 with `Allow` when none of those has the method.
    func respond(to request: HTTPRequest) async throws -> HTTPReply {
        var allowed: [HTTPMethod] = []
        for route in routes {
            guard let identifiers = route.identifiers(in: request.path) else { continue }
            if route.method == request.method || (route.method == .GET && request.method == .HEAD) {
                var request = request
                request.identifiers = identifiers
                return try await route.handler(request)
            }
            allowed.append(route.method)
        }
        guard !allowed.isEmpty else {
            throw Problem(.notFound, "There is nothing at this path.")
        }
        let allow = Self.allow(allowed)
        if request.method == .OPTIONS {
            return HTTPReply(status: .noContent, headers: ["Allow": allow])
        }
        throw Problem(
            .methodNotAllowed, "\(request.method.rawValue) is not possible here; possible are \(allow).",
            headers: ["Allow": allow])
    }

    /// The pattern that a path has, whatever the method.
    func pattern(of path: [String]) -> String? {
        routes.first { $0.identifiers(in: path) != nil }?.pattern
    }

    private static func allow(_ methods: [HTTPMethod]) -> String {
        var names = Set(methods.map(\.rawValue)).union(["OPTIONS"])
        if names.contains("GET") {
            names.insert("HEAD")
        }
        return names.sorted().joined(separator: ", ")
    }
}
