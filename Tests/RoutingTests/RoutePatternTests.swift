import Testing

@testable import Routing

struct RoutePatternTests {
    struct Good: CustomTestStringConvertible, Sendable {
        var text: String
        var methods: [String] = []
        var host: String?
        var segments: [RoutePattern.Segment]
        var testDescription: String { text }
    }

    static func literal(_ text: String) -> RoutePattern.Segment { .literal(Array(text.utf8)) }

    @Test(arguments: [
        Good(text: "/", segments: [literal("")]),
        Good(text: "/tasks", segments: [literal("tasks")]),
        Good(text: "/tasks/", segments: [literal("tasks"), literal("")]),
        Good(text: "/a//b", segments: [literal("a"), literal(""), literal("b")]),
        Good(text: "GET /tasks/{task_id}", methods: ["GET"], segments: [literal("tasks"), .parameter("task_id")]),
        Good(text: "POST|PUT /tasks/{id}", methods: ["POST", "PUT"], segments: [literal("tasks"), .parameter("id")]),
        Good(text: "GET   /x", methods: ["GET"], segments: [literal("x")]),
        Good(text: "/users/{rest...}", segments: [literal("users"), .rest("rest")]),
        Good(text: "/{rest...}", segments: [.rest("rest")]),
        Good(text: "/{_a1}/{B}", segments: [.parameter("_a1"), .parameter("B")]),
        Good(text: "api.example.com/v1/{rest...}", host: "api.example.com", segments: [literal("v1"), .rest("rest")]),
        Good(text: "GET API.Example.com/", methods: ["GET"], host: "api.example.com", segments: [literal("")]),
        Good(text: "[2001:DB8::1]/x", host: "[2001:db8::1]", segments: [literal("x")]),
        Good(text: "127.0.0.1/x", host: "127.0.0.1", segments: [literal("x")]),
        Good(text: "PURGE /cache", methods: ["PURGE"], segments: [literal("cache")]),
        Good(text: "TRACE /x", methods: ["TRACE"], segments: [literal("x")]),
        // RFC 3986 §6.2.2: unreserved characters are decoded, other triplets put in upper case.
        Good(text: "/%7euser/%61b%2fc%3A", segments: [literal("~user"), literal("ab%2Fc%3A")]),
        Good(
            text: "/a:cancel/@me/x;v=1/...",
            segments: [literal("a:cancel"), literal("@me"), literal("x;v=1"), literal("...")]),
    ])
    func parses(_ example: Good) throws {
        let pattern = try RoutePattern(parsing: example.text)
        #expect(pattern.methods == example.methods)
        #expect(pattern.host == example.host)
        #expect(pattern.segments == example.segments)
        #expect(pattern.description == example.text)
    }

    struct Bad: CustomTestStringConvertible, Sendable {
        var text: String
        var offset: Int
        var word: String
        var testDescription: String { text }
        init(_ text: String, _ offset: Int, _ word: String) {
            self.text = text
            self.offset = offset
            self.word = word
        }
    }

    @Test(arguments: [
        Bad("", 0, "expected a path, which begins with /"),
        Bad("GET", 3, "expected a path, which begins with /"),
        Bad("GET ", 4, "expected a path, which begins with /"),
        Bad("tasks", 5, "expected a / and a path after the host tasks"),
        Bad(" /tasks", 0, "found a space"),
        Bad("GET/tasks", 3, "expected a space between GET and the path"),
        Bad("get /tasks", 0, "write GET"),
        Bad("GET|post /tasks", 4, "write POST"),
        Bad("GET| /tasks", 4, "expected a method after |"),
        Bad("|GET /tasks", 0, "expected a method"),
        Bad("GET||PUT /tasks", 4, "expected a method"),
        Bad("GET|GET /tasks", 4, "GET is named twice"),
        Bad("G(T /tasks", 0, "expected a method"),
        Bad("\(String(repeating: "M", count: 33)) /tasks", 0, "expected a method"),
        Bad("CONNECT /tasks", 0, "no tunnels"),
        Bad("*.example.com/", 0, "wildcards in hosts are not supported"),
        Bad("{tenant}.example.com/", 0, "no parameters"),
        Bad("example.com:8080/", 11, "without a port"),
        Bad("[::1]:80/", 0, "not a host name"),
        Bad("[::z]/", 0, "not a host name"),
        Bad("ex\"ample.com/", 0, "not a host name"),
        Bad("bücher.example/", 0, "not a host name"),
        Bad("example%2ecom/", 0, "not a host name"),
        Bad("example.com./", 11, "without a dot"),
        Bad("/tasks/{id", 7, "whole segment"),
        Bad("/tasks/id}", 9, "whole segment"),
        Bad("/tasks/{id}.json", 7, "whole segment"),
        Bad("/tasks/x{id}", 8, "whole segment"),
        Bad("/tasks/{a}{b}", 7, "whole segment"),
        Bad("/tasks/{}", 8, "expected the parameter's name"),
        Bad("/tasks/{...}", 8, "expected the parameter's name"),
        Bad("/tasks/{1a}", 8, "begins with no digit"),
        Bad("/tasks/{a-b}", 9, "letters, digits and _"),
        Bad("/tasks/{$}", 8, "letters, digits and _"),
        Bad("/tasks/{id}/x/{id}", 14, "named twice"),
        Bad("/{id}/{id...}", 6, "named twice"),
        Bad("/{rest...}/x", 1, "last segment"),
        Bad("/users/*", 7, "{name...}"),
        Bad("/users/:id", 7, "not :name"),
        Bad("/users?x=1", 6, "no query"),
        Bad("/users#x", 6, "fragment"),
        Bad("/us\\ers", 3, "backslash"),
        Bad("/caf\u{E9}", 4, "%C3"),
        Bad("GET /us ers", 7, "spaces"),
        Bad("/us\ters", 3, "control characters"),
        Bad("/a/%zz", 3, "two hexadecimal digits"),
        Bad("/a/%4", 3, "two hexadecimal digits"),
        Bad("/a/%4/b", 3, "two hexadecimal digits"),
        Bad("/a/%00", 3, "%00"),
        Bad("/a/./b", 3, "dot segments"),
        Bad("/a/%2e%2E", 3, "dot segments"),
        Bad(String(repeating: "/a", count: 129), 257, "at most 128 segments"),
    ])
    func refuses(_ example: Bad) {
        let error = #expect(throws: RoutePatternError.self) { try RoutePattern(parsing: example.text) }
        #expect(error?.offset == example.offset, "\(String(describing: error))")
        #expect(error?.message.contains(example.word) == true, "\(String(describing: error))")
    }

    @Test("random text is parsed or refused, never more")
    func randomText() {
        var generator = SeededGenerator(state: 3)
        let pieces = [
            "GET", "|", " ", "/", "{", "}", "...", "a", "%", "41", "[", "]", ":", ".", "*", "é", "host", "\u{0}",
        ]
        var good = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }.joined()
            do {
                let pattern = try RoutePattern(parsing: text)
                #expect(!pattern.segments.isEmpty)
                good += 1
            } catch {
                #expect((0...text.utf8.count).contains(error.offset), "\(text)")
            }
        }
        #expect(good > 100)
    }
}
