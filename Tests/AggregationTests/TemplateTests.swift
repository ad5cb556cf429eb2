import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// What comes out of a template: the text, or why there is none.
enum Expansion: Equatable, CustomTestStringConvertible {
    case text(String)
    case problem(TemplateProblem.Kind)
    case errors([TemplateError])

    var testDescription: String { "\(self)" }
}

@Suite struct TemplateTests {
    /// Compiles and fills in a template of a path. `{id}` and `{rest...}` are parameters of the route, `task` a part.
    static func path(
        _ template: String, id: String? = nil, rest: String? = nil, query: String = "", user: String? = nil,
        header: String? = nil, task: String = "null", isLocation: Bool = false
    ) -> Expansion {
        expand(id: id, rest: rest, query: query, user: user, header: header, task: task) { scope, errors in
            scope.compileTarget(template, isLocation: isLocation, errors: &errors)
        }
    }

    static func expand(
        id: String? = nil, rest: String? = nil, query: String = "", user: String? = nil, header: String? = nil,
        task: String = "null", _ compile: (inout TemplateScope, inout [TemplateError]) -> Template?
    ) -> Expansion {
        var scope = TemplateScope(
            pathParameters: [.init(name: "id"), .init(name: "rest", isRest: true)], partNames: ["task", "tasks"])
        var errors: [TemplateError] = []
        guard let compiled = compile(&scope, &errors) else { return .errors(errors) }
        var inputs = TemplateInputs()
        inputs.prepare(for: scope.inputs)
        for slot in 0..<scope.inputs.count {
            switch scope.inputs.source(slot) {
            case .segment: if let id { inputs.setCapture(slot, to: Array(id.utf8).span, isRest: false) }
            case .rest: if let rest { inputs.setCapture(slot, to: Array(rest.utf8).span, isRest: true) }
            case .user: if let user { inputs.set(slot, to: Array(user.utf8).span) }
            case .header: if let header { inputs.set(slot, to: Array(header.utf8).span) }
            case .query: break
            }
        }
        inputs.setQuery(Array(query.utf8).span, from: scope.inputs)
        var answers = PartAnswers()
        answers.grow(to: 2, hashSeed: 1)
        answers[0].body.append(task)
        let body = Array(task.utf8)
        do { try answers[0].index.scan(body.span) } catch { return .errors([]) }
        var output = ByteBuffer()
        output.append("before")
        var scratch = ByteBuffer()
        if let problem = compiled.append(
            to: &output, inputs: inputs, answers: answers, values: FanOutValues(seed: 0), asked: 0..<0,
            scratch: &scratch)
        {
            return output.text == "before" ? .problem(problem.kind) : .errors([])
        }
        return .text(String(output.text.dropFirst(6)))
    }

    /// The value that was meant to change the shape of the path stays one segment, or there is no path (security §2.2,
    /// RFC 3986 §2.4, §5.2.4, §6.2.2).
    @Test(
        arguments: [
            ("7", .text("/users/7/orders")), ("a%2fb", .text("/users/a%2Fb/orders")),
            ("a%2Fb", .text("/users/a%2Fb/orders")),
            ("%2e%2e", .problem(.unusable)), ("..", .problem(.unusable)), (".", .problem(.unusable)),
            ("%2E", .problem(.unusable)), (".%2e", .problem(.unusable)), ("...", .text("/users/.../orders")),
            ("%252e%252e", .text("/users/%252e%252e/orders")), ("..%2fadmin", .text("/users/..%2Fadmin/orders")),
            ("1%2F..%2F..%2Fx%3Fy%23z", .text("/users/1%2F..%2F..%2Fx%3Fy%23z/orders")),
            ("%0d%0aHost:%20x", .text("/users/%0D%0AHost%3A%20x/orders")), ("@host", .text("/users/%40host/orders")),
            ("%00", .problem(.unusable)), ("a%00b", .problem(.unusable)), ("", .problem(.missing)),
            ("a;b=c&d+e", .text("/users/a%3Bb%3Dc%26d%2Be/orders")), ("%C3%BC", .text("/users/%C3%BC/orders")),
            ("%5c..%5c", .text("/users/%5C..%5C/orders")), ("%zz", .text("/users/%25zz/orders")),
            ("%", .text("/users/%25/orders")),
            ("a%20b", .text("/users/a%20b/orders")), ("%25", .text("/users/%25/orders")),
            ("%ff", .text("/users/%FF/orders")),
            ("~-._", .text("/users/~-._/orders")), (nil, .problem(.missing)),
            ("%7Bid%7D", .text("/users/%7Bid%7D/orders")),
        ] as [(String?, Expansion)])
    func capturesStayOneSegment(_ value: String?, _ expected: Expansion) {
        #expect(Self.path("/users/{id}/orders", id: value) == expected)
    }

    @Test(
        arguments: [
            ("\"u1\"", .text("/users/u1")), ("7", .text("/users/7")), ("-1.50e+3", .text("/users/-1.50e%2B3")),
            ("12345678901234567890", .text("/users/12345678901234567890")), ("true", .text("/users/true")),
            ("null", .problem(.missing)), ("{}", .problem(.missing)), ("[1]", .problem(.missing)),
            ("\"\"", .problem(.missing)),
            (#""../admin""#, .text("/users/..%2Fadmin")),
            (#""1/../../x?y#z""#, .text("/users/1%2F..%2F..%2Fx%3Fy%23z")),
            (#""..""#, .problem(.unusable)), (#""\u002e\u002e""#, .problem(.unusable)),
            (#""a\u0000""#, .problem(.unusable)),
            (#""\r\nHost: x""#, .text("/users/%0D%0AHost%3A%20x")),
            (#""é\ud83d\ude00""#, .text("/users/%C3%A9%F0%9F%98%80")),
            (#""\"\\""#, .text("/users/%22%5C")), (#""%2e%2e""#, .text("/users/%252e%252e")),
        ] as [(String, Expansion)])
    func valuesOfPartsStayOneSegment(_ value: String, _ expected: Expansion) {
        #expect(Self.path("/users/{task.user_id}", task: "{\"id\":1,\"user_id\":\(value)}") == expected)
    }

    @Test(
        arguments: [
            ("/v2/{rest}", "a/b%2Fc", .text("/v2/a/b%2Fc")), ("/v2/{rest}", "", .text("/v2/")),
            ("/v2/{rest}", "a//b/", .text("/v2/a//b/")), ("/v2/{rest}", "a/../b", .problem(.unusable)),
            ("/v2/{rest}", "a/%2e%2E/b", .problem(.unusable)), ("/v2/{rest}", "a?b", .problem(.unusable)),
            ("/v2/{rest}", "a#b", .problem(.unusable)), ("/v2/{rest}", "a b", .problem(.unusable)),
            ("/v2/{rest}", "%zz", .problem(.unusable)), ("/v2/{rest}", "%00", .problem(.unusable)),
            ("/v2/{rest}", "é", .problem(.unusable)), ("/{rest}", "/evil.example/x", .problem(.unusable)),
            ("/{rest}", "a:b@c;d", .text("/a:b@c;d")), ("/x?p={rest}", "a/b&c", .text("/x?p=a%2Fb%26c")),
            ("/x.{rest}", ".", .text("/x..")), ("/.{rest}", ".", .problem(.unusable)),
            ("/.{rest}", "./x", .problem(.unusable)),
        ] as [(String, String, Expansion)])
    func theRestOfAPathKeepsItsSlashes(_ template: String, _ rest: String, _ expected: Expansion) {
        #expect(Self.path(template, rest: rest) == expected)
    }

    @Test(
        arguments: [
            ("/a/.{id}", ".", .problem(.unusable)), ("/a/{id}{id}", ".", .problem(.unusable)),
            ("/a/{id}.json", "..", .text("/a/...json")),
            ("/a/{id}{id}", "x", .text("/a/xx")), ("/{id}", "a", .text("/a")), ("/a?x={id}", "..", .text("/a?x=..")),
            ("/a?x={id}&y=2", "1&y=3#", .text("/a?x=1%26y%3D3%23&y=2")), ("/a?x={id}", "", .text("/a?x=")),
            ("/a?x={id}", "%00", .problem(.unusable)),
        ] as [(String, String, Expansion)])
    func shapes(_ template: String, _ id: String, _ expected: Expansion) {
        #expect(Self.path(template, id: id) == expected)
    }

    @Test(
        arguments: [
            ("q=a+b%26c", .text("/s/a%20b%26c")), ("x=1&q=2&q=3", .text("/s/2")), ("%71=1", .text("/s/1")),
            ("q", .problem(.missing)),
            ("q=", .problem(.missing)), ("", .problem(.missing)), ("Q=1", .problem(.missing)),
            ("qq=1", .problem(.missing)),
            ("&&q=1&", .text("/s/1")), ("q=a=b", .text("/s/a%3Db")), ("q=%zz", .text("/s/%25zz")),
            ("q=..", .problem(.unusable)),
        ] as [(String, Expansion)])
    func queryParameters(_ query: String, _ expected: Expansion) {
        #expect(Self.path("/s/{query.q}", query: query) == expected)
    }

    @Test func severalSourcesTogether() {
        let result = Self.path(
            "/{user}/{task.list.1.id}/{id}?h={header.X-Tenant}&a={query.a.b}", id: "i", query: "a.b=1&a=2", user: "u@x",
            header: "t 1", task: #"{"list":[0,{"id":"x/y"}]}"#)
        #expect(result == .text("/u%40x/x%2Fy/i?h=t%201&a=1"))
        #expect(Self.path("/{task}", task: "42") == .text("/42"))
        #expect(Self.path("/{task.list.1}", task: #"{"list":[0]}"#) == .problem(.missing))
        #expect(Self.path("/{user}") == .problem(.missing))
    }

    @Test(
        arguments: [
            ("https://new.example/{rest}", "a/b", .text("https://new.example/a/b")),
            ("/new/{rest}#top", "a", .text("/new/a#top")),
            ("https://new.example/{rest}", "..", .problem(.unusable)),
            ("/{rest}", "/evil.example", .problem(.unusable)),
            ("https://[::1]:8080/{rest}", "", .text("https://[::1]:8080/")),
            ("/{rest}", "%2F%2Fevil", .text("/%2F%2Fevil")),
            ("/{rest}", "\\evil.example", .problem(.unusable)),
        ] as [(String, String, Expansion)])
    func locations(_ template: String, _ rest: String, _ expected: Expansion) {
        #expect(Self.path(template, rest: rest, isLocation: true) == expected)
    }

    @Test(arguments: [
        ("users", 0, "\"/\" at the beginning"), ("", 0, "\"/\" at the beginning"), ("/a/{id", 3, "without \"}\""),
        ("/a/}", 3, "without \"{\""), ("/a/{i{d}", 3, "without \"}\""), ("/a/{}", 3, "nothing between"),
        ("/a/{task..x}", 3, "empty name"), ("/a/{.x}", 3, "empty name"), ("/a/{task.}", 3, "empty name"),
        ("/a/{idd}", 3, "did you mean \"id\""), ("/a/{tsk.id}", 3, "did you mean \"task\""),
        ("/a/{nothing}", 3, "neither a parameter of the path nor a part"),
        ("/a/{header.a b}", 3, "no name of a header"),
        ("/a b", 2, "percent-encoded"), ("/a#b", 2, "fragment"), ("/ü", 1, "percent-encoded"),
        ("/a\"", 2, "percent-encoded"),
        ("/%zz", 1, "hexadecimal"), ("/%00", 1, "%00"), ("/a/../b", 3, "segments \".\" and \"..\""),
        ("/a/%2e", 3, "segments"),
        ("/./{id}", 1, "segments"), ("/a/..?x", 3, "segments"), ("/{{x}}", 1, "percent-encoded"),
        ("/a\\b", 2, "percent-encoded"),
        ("/a/{query}", 3, "neither"), ("/a\r\nX: y", 2, "control"),
    ])
    func templatesThatAreWrong(_ template: String, _ offset: Int, _ words: String) throws {
        guard case .errors(let errors) = Self.path(template) else {
            Issue.record("compiled")
            return
        }
        let error = try #require(errors.first)
        #expect(error.offset == offset)
        #expect(error.message.contains(words), "\(error.message)")
    }

    @Test(arguments: [
        "https://{id}/", "https://new.{rest}example/", "https://a b/", "https://new.example", "ftp://x/",
        "https://new.example{rest}",
    ])
    func locationsThatAreWrong(_ template: String) {
        let result = Self.path(template, id: "x", rest: "y", isLocation: true)
        guard case .errors(let errors) = result else {
            Issue.record("compiled")
            return
        }
        #expect(!errors.isEmpty)
    }

    @Test func everyErrorOfATemplateIsListed() {
        guard case .errors(let errors) = Self.path("/{a}/{b}/../x y") else {
            Issue.record("compiled")
            return
        }
        #expect(errors.map(\.offset) == [1, 5, 9, 13])
    }

    @Test func aNameThatMeansTwoThingsIsAnError() {
        var scope = TemplateScope(pathParameters: [.init(name: "user"), .init(name: "task")], partNames: ["task"])
        var errors: [TemplateError] = []
        #expect(scope.compileTarget("/{user}/{task}", errors: &errors) == nil)
        #expect(
            errors.map(\.message) == [
                "{user} is both the request's user and a parameter of the path: rename the parameter",
                "{task} is both a parameter of the path and a part: rename one of them",
            ])
        errors = []
        #expect(scope.compileTarget("/{task.id}", errors: &errors) != nil)
    }

    @Test(
        arguments: [
            ("plain", .text("plain")), ("é \t{user}", .text("é \tu")), ("id={{{id}}}", .text("id={i}")),
            ("{task.ok}", .text("x y")), ("{task.crlf}", .problem(.unusable)), ("{task.nul}", .problem(.unusable)),
            ("{task.del}", .problem(.unusable)), ("{task.none}", .problem(.missing)), ("{task}", .problem(.missing)),
            ("{header.h}", .text("from the client")), ("{task.utf8}", .text("ü")),
        ] as [(String, Expansion)])
    func headerValues(_ template: String, _ expected: Expansion) {
        let result = Self.expand(
            id: "i", user: "u", header: "from the client",
            task: #"{"ok":"x y","crlf":"a\r\nX: y","nul":"\u0000","del":"\u007f","utf8":"ü"}"#
        ) { scope, errors in scope.compileHeader(template, errors: &errors) }
        #expect(result == expected)
    }

    @Test(arguments: [("a\nb", 1), ("a\u{0}", 1), ("{", 0), ("\u{7F}", 0)])
    func headerValuesThatAreWrong(_ template: String, _ offset: Int) {
        let result = Self.expand { scope, errors in scope.compileHeader(template, errors: &errors) }
        guard case .errors(let errors) = result else {
            Issue.record("compiled")
            return
        }
        #expect(errors.map(\.offset) == [offset])
    }

    @Test(
        arguments: [
            (#"{"a":1,"b":[true,null,"x"]}"#, .text(#"{"a":1,"b":[true,null,"x"]}"#)),
            (
                #"{"n":"{task.n}","s":"{task.s}","o":"{task.o}"}"#,
                .text(#"{"n":12345678901234567890,"s":"q\"\u00e9","o":{ "k" : [] }}"#)
            ),
            (#"["{task.gone}","{query.gone}","{task.z}"]"#, .text("[null,null,null]")),
            (#"["{query.q}","{user}","{id}"]"#, .text(#"["1\"2","u","i"]"#)),
            (#""user {user}: {task.s} {task.n}""#, .text(#""user u: q\"é 12345678901234567890""#)),
            (#"{"{user}":"{{user}}"}"#, .text(#"{"{user}":"{user}"}"#)), (#""{task.o}!""#, .problem(.missing)),
            (#""{task.gone}!""#, .problem(.missing)), (#""a{query.gone}""#, .problem(.missing)),
            (#""""#, .text(#""""#)),
            (#"{"a":"x","b":"{user}","c":"y","d":["z{user}"]}"#, .text(#"{"a":"x","b":"u","c":"y","d":["zu"]}"#)),
        ] as [(String, Expansion)])
    func bodies(_ template: String, _ expected: Expansion) throws {
        let value = try JSONDocument(parsing: Array(template.utf8)).value()
        let result = Self.expand(
            id: "i", query: "q=1%222", user: "u",
            task: #"{"n":12345678901234567890,"s":"q\"\u00e9","o":{ "k" : [] },"z":null}"#
        ) { scope, errors in scope.compileBody(value, errors: &errors) }
        #expect(result == expected)
    }

    @Test func anInvalidByteOfTheClientDoesNotReachABody() throws {
        var scope = TemplateScope(pathParameters: [], partNames: [])
        var errors: [TemplateError] = []
        let body = scope.compileBody(.array([.string("{query.q}"), .string("-{query.q}")]), errors: &errors)
        let template = try #require(body)
        var inputs = TemplateInputs()
        inputs.prepare(for: scope.inputs)
        inputs.setQuery(Array("q=%ff%00%22".utf8).span, from: scope.inputs)
        var output = ByteBuffer()
        var scratch = ByteBuffer()
        #expect(template.append(to: &output, inputs: inputs, scratch: &scratch) == nil)
        #expect(output.text == #"["\ufffd\u0000\"","-\ufffd\u0000\""]"#)
        var index = JSONIndex(seed: 1)
        try index.scan(Array(output.text.utf8).span)
    }

    /// One value, several, and such as grow when they are encoded.
    @Test(arguments: [
        ("/{task.a}", "x", 8191, true), ("/{task.a}", "x", 8192, false), ("/{task.a}/{task.a}", "x", 4095, true),
        ("/{task.a}/{task.a}", "x", 4096, false), ("/{task.a}", "ü", 1365, true), ("/{task.a}", "ü", 1366, false),
        ("/?q={task.a}", "x", 8188, true), ("/?q={task.a}", "x", 8189, false), ("/{task.a}", "x", 1_000_000, false),
    ])
    func targetsAreBounded(_ template: String, _ character: String, _ count: Int, _ fits: Bool) {
        let result = Self.path(
            template, task: "{\"a\":\"\(String(repeating: character, count: count))\"}")
        if case .text(let text) = result { #expect(fits && text.utf8.count <= 8192) }
        if !fits { #expect(result == .problem(.unusable)) } else { #expect(result != .problem(.unusable)) }
    }

    @Test(arguments: [(8192, true), (8193, false)])
    func headerValuesAreBounded(_ count: Int, _ fits: Bool) {
        let result = Self.expand(user: String(repeating: "u", count: count)) { scope, errors in
            scope.compileHeader("{user}", errors: &errors)
        }
        #expect((result == .problem(.unusable)) != fits)
    }

    @Test(arguments: [("[\"{task}\",\"{task}\"]", false), ("[\"{task}\"]", true), ("\"{task} {task}\"", false)])
    func bodiesAreBounded(_ template: String, _ fits: Bool) throws {
        let value = try JSONDocument(parsing: Array(template.utf8)).value()
        let task = "\"" + String(repeating: "x", count: 5 * 1024 * 1024) + "\""
        let result = Self.expand(task: task) { scope, errors in scope.compileBody(value, errors: &errors) }
        let isRefused = result == .problem(.unusable)
        #expect(isRefused != fits)
    }

    @Test func eachInputHasOneSlot() {
        var scope = TemplateScope(pathParameters: [.init(name: "id"), .init(name: "rest", isRest: true)])
        var errors: [TemplateError] = []
        _ = scope.compileTarget("/{id}/{id}/{query.a}?x={query.a}&y={header.A}&z={header.a}&r={rest}", errors: &errors)
        _ = scope.compileTarget("/{user}/{query.b}/{id}", errors: &errors)
        #expect(errors == [])
        let table = scope.inputs
        #expect(
            (0..<table.count).map { table.source($0) } == [.segment(0), .query, .header, .rest(1), .user, .query])
        #expect((0..<table.count).map { table.name($0).text } == ["", "a", "a", "", "", "b"])
        #expect(scope.usesUser)
    }
}
