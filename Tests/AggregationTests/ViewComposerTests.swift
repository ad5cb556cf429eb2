import ByteBuffers
import JSON
import Testing

@testable import Aggregation

@Suite struct ViewComposerTests {
    private func view(_ part: AggregateDefinition.Part, _ body: String) throws -> String {
        var fixture = try RunFixture(definition(part))
        fixture.answer(0, body)
        return fixture.view()
    }

    @Test(arguments: [
        ("", #"{"a": 1.0}"#, #"{"a": 1.0}"#), ("/data/items", #"{"data" : {"items" : [ 1 ,2]}}"#, "[ 1 ,2]"),
        ("/0", "[ {\"x\": 1e2} ]", "{\"x\": 1e2}"), ("/a~1b", #"{"a/b":"\u00e9"}"#, #""\u00e9""#),
        ("/n", #"{"n":null}"#, "null"),
    ])
    func pick(_ pointer: String, _ body: String, _ expected: String) throws {
        #expect(try view(part("p", "/", pick: pointer), body) == "{\"p\":\(expected)}")
    }

    @Test(arguments: ["{}", "[]", "7", #"{"data":{}}"#, #"{"data":[]}"#])
    func pickThatLeadsNowhere(_ body: String) throws {
        var fixture = try RunFixture(definition(part("p", "/", pick: "/data/items")))
        fixture.answer(0, body)
        expect(fixture.outcome, .failed(status: 502, part: 0, PartFailure(.missingValue)))
    }

    @Test(
        arguments: [
            (
                .only(["id", "name"]), #"{ "id" : 1.0, "secret":2 ,"name": "\u00e9" }"#,
                #"{"id" : 1.0,"name": "\u00e9"}"#
            ),
            (.allBut(["secret"]), #"{ "id" : 1.0, "secret":2 ,"name": "x" }"#, #"{"id" : 1.0,"name": "x"}"#),
            (.allBut(["secret"]), #"{"\u0073ecret":2,"a":{"secret":3}}"#, #"{"a":{"secret":3}}"#),
            (
                .only(["id"]), #"[{"id":1,"x":2},{"x":3},7,[{"x":1}],{"id":"a"}]"#,
                #"[{"id":1},{},7,[{"x":1}],{"id":"a"}]"#
            ),
            (.only([]), #"{"a":1}"#, "{}"), (.allBut([]), #"{"a" :1}"#, #"{"a" :1}"#), (.only(["a"]), "7", "7"),
            (.only(["a"]), " null ", "null"), (.allBut(["a"]), "[ ]", "[]"), (.allBut(["a"]), "{ }", "{}"),
            (.only(["é"]), #"{"\u00e9":[1, 2]}"#, #"{"\u00e9":[1, 2]}"#),
            (.allBut(["a", "b"]), #"{"a":1,"b":2}"#, "{}"),
        ] as [(AggregateDefinition.Members, String, String)])
    func members(_ members: AggregateDefinition.Members, _ body: String, _ expected: String) throws {
        #expect(try view(part("p", "/", members: members), body) == "{\"p\":\(expected)}")
        let picked = try view(part("p", "/", pick: "/in", members: members), "{\"in\":\(body),\"out\":1}")
        #expect(picked == "{\"p\":\(expected)}")
    }

    /// Templates of other parts see the answer as it came, not what `fields` left of it.
    @Test func templatesSeeTheWholeAnswer() throws {
        var fixture = try RunFixture(
            definition(part("a", "/a", pick: "/data", members: .only(["x"])), part("b", "/{a.data.id}/{a.meta.0.k}")))
        _ = fixture.actions()
        fixture.answer(0, #"{"data":{"id":5,"x":1},"meta":[{"k":"v"}]}"#)
        expect(fixture.actions(), [.start(1)])
        expect(fixture.target(1), "/5/v")
        fixture.answer(1, "2")
        expect(fixture.view(), #"{"a":{"x":1},"b":2}"#)
    }

    @Test func namesOfPartsAreEscaped() throws {
        #expect(try view(part("a\"\n\u{1F600}", "/"), "1") == "{\"a\\\"\\n\u{1F600}\":1}")
    }

    @Test func errorsInTheBody() throws {
        var view = definition(
            part("a", "/a"), part("b", "/b", optional: true, default: .string("x")), part("c", "/c", optional: true))
        view.namesErrors = true
        var fixture = try RunFixture(view)
        fixture.answer(0, "1")
        fixture.run.answerBegan(1, status: 503)
        fixture.run.partFailed(2, PartFailure(.connectFailed))
        expect(
            fixture.view(),
            #"{"a":1,"b":"x","c":null,"_errors":{"b":{"reason":"bad_status","status":503},"#
                + #""c":{"reason":"connect_failed"}}}"#
        )
        expect(fixture.composer.partial().text, "b;reason=bad_status;status=503, c;reason=connect_failed")

        var whole = try RunFixture(view)
        for part in 0..<3 { whole.answer(part, "1") }
        expect(whole.view(), #"{"a":1,"b":1,"c":1}"#)
        expect(whole.composer.partial().text, "")
    }

    @Test func aViewIsAppended() throws {
        var fixture = try RunFixture(definition(part("a", "/")))
        fixture.answer(0, "1")
        var body = ByteBuffer()
        body.append("head ")
        fixture.composer.compose(fixture.run, into: &body)
        expect(body.text, #"head {"a":1}"#)
        let tag = fixture.composer.etag().text
        _ = fixture.view()
        expect(fixture.composer.etag().text, tag)
    }

    // MARK: - Caching

    private func fields(
        _ parts: [[(String, String)]], hasCredentials: Bool = false
    ) throws -> (cacheControl: String, vary: String) {
        var fixture = try RunFixture(
            AggregateDefinition(parts: parts.indices.map { part("p\($0)", "/") }))
        for (number, fields) in parts.enumerated() {
            fixture.run.answerBegan(number, status: 200)
            for (name, value) in fields {
                let bytes = Array(value.utf8)
                switch name {
                case "cc": fixture.run.answerHas(cacheControl: bytes.span, number)
                case "expires": fixture.run.answerExpires(number)
                case "older": break
                case "age": fixture.run.answerHas(age: bytes.span, number)
                default: fixture.run.answerHas(vary: bytes.span, number)
                }
            }
            fixture.run.answerReceived([0x31].span, number)
            fixture.run.answerEnded(number)
            for case ("older", let value) in fields { fixture.run.answerIsOlder(number, by: UInt32(value) ?? 0) }
        }
        var body = ByteBuffer()
        fixture.composer.compose(fixture.run, hasCredentials: hasCredentials, into: &body)
        return (fixture.composer.cacheControl().text, fixture.composer.vary().text)
    }

    /// The strictest of all (RFC 9111 §5.2.2, §4.2).
    @Test(
        arguments: [
            ([""], ""), (["max-age=60"], "max-age=60"), (["max-age=60", "max-age=30"], "max-age=30"),
            (["max-age=60", ""], "max-age=0"), (["max-age=0", ""], "max-age=0"), (["", ""], ""),
            (["no-cache", ""], "no-cache"),
            (["no-cache", "max-age=60"], "no-cache, max-age=0"), (["private", "max-age=60"], "private, max-age=0"),
            (["s-maxage=10", "s-maxage=20"], "s-maxage=10"), (["s-maxage=10", ""], "s-maxage=0"),
            (["must-revalidate, max-age=9", "max-age=7"], "max-age=7, must-revalidate"),
            (["max-age=60", "max-age=60, no-store=\"x\""], "no-store"),
            (["public, max-age=60", "public, max-age=30"], "public, max-age=30"),
            (["public, max-age=60", "max-age=30"], "max-age=30"),
            (["private, max-age=60", "public, max-age=90"], "private, max-age=60"),
            (["no-store", "max-age=60"], "no-store"), (["private", "no-cache"], "private, no-cache"),
            (["no-cache=\"set-cookie, x\", max-age=5"], "no-cache, max-age=5"), (["private=\"a\""], "private"),
            (["max-age=60, s-maxage=10", "max-age=20"], "max-age=20, s-maxage=10"),
            (["s-maxage=10", "max-age=5"], "max-age=0, s-maxage=5"),
            (["private, s-maxage=10, max-age=5"], "private, max-age=5"),
            (["MAX-AGE=60 , Must-Revalidate"], "max-age=60, must-revalidate"), (["max-age=\"60\""], "max-age=60"),
            (["max-age=x"], "max-age=0"), (["max-age="], "max-age=0"), (["max-age"], "max-age=0"),
            (["max-age=-1"], "max-age=0"),
            (["max-age=99999999999999"], "max-age=2147483648"), (["max-age=60, max-age=10"], "max-age=10"),
            (["max-age=60, immutable, stale-while-revalidate=30, x=\"no-store, a\\\"\""], "max-age=60"),
            (["no-transform, proxy-revalidate", "must-revalidate"], "must-revalidate, proxy-revalidate, no-transform"),
            ([",, max-age=1 ,"], "max-age=1"), (["x=\"unclosed, no-store"], ""),
        ] as [([String], String)])
    func cacheControl(_ values: [String], _ expected: String) throws {
        #expect(try fields(values.map { $0.isEmpty ? [] : [("cc", $0)] }).cacheControl == expected)
        #expect(try fields(values.reversed().map { $0.isEmpty ? [] : [("cc", $0)] }).cacheControl == expected)
    }

    /// What goes stale by the clock counts as stale, where nothing else is said (RFC 9111 §5.3).
    @Test func expiry() throws {
        #expect(try fields([[("expires", "0")]]).cacheControl == "max-age=0")
        #expect(try fields([[("expires", "0")], [("cc", "max-age=60")]]).cacheControl == "max-age=0")
        #expect(try fields([[("expires", "0"), ("cc", "max-age=60")]]).cacheControl == "max-age=60")
        #expect(try fields([[("expires", "0"), ("cc", "s-maxage=60")]]).cacheControl == "max-age=0, s-maxage=60")
    }

    /// A shared cache keeps what somebody got by credentials only where every part lets it (RFC 9111 §3.5).
    @Test(
        arguments: [
            (["max-age=60"], "private, max-age=60"), (["public, max-age=60"], "public, max-age=60"),
            (["s-maxage=60"], "s-maxage=60"), (["must-revalidate, max-age=60"], "max-age=60, must-revalidate"),
            (["s-maxage=10", "max-age=5"], "private, max-age=0"),
            (["must-revalidate, max-age=9", "max-age=7"], "private, max-age=7, must-revalidate"),
            (["public, max-age=9", "must-revalidate, max-age=7"], "max-age=7, must-revalidate"),
            (["public, max-age=9", ""], "private, max-age=0"), ([""], "private"), (["no-store"], "no-store"),
        ] as [([String], String)])
    func credentials(_ values: [String], _ expected: String) throws {
        let parts = values.map { $0.isEmpty ? [] : [("cc", $0)] }
        #expect(try fields(parts, hasCredentials: true).cacheControl == expected)
    }

    @Test func timeThatIsOverIsTakenOff() throws {
        #expect(
            try fields([[("cc", "max-age=60"), ("age", "50")], [("cc", "max-age=30")]]).cacheControl == "max-age=10")
        #expect(try fields([[("age", "90"), ("cc", "max-age=60")]]).cacheControl == "max-age=0")
        #expect(
            try fields([[("cc", "max-age=60"), ("cc", "private"), ("age", "x")]]).cacheControl == "private, max-age=60")
    }

    /// An answer grows older on its way and while it waits for others (RFC 9111 §4.2.3).
    @Test(
        arguments: [
            ([("cc", "max-age=60"), ("older", "2")], "max-age=58"),
            ([("older", "3"), ("cc", "max-age=2")], "max-age=0"),
            ([("cc", "max-age=60"), ("age", "50"), ("older", "4")], "max-age=6"),
            ([("cc", "max-age=60, s-maxage=90"), ("older", "1")], "max-age=59, s-maxage=89"), ([("older", "9")], ""),
            ([("cc", "max-age=9"), ("age", "4294967295"), ("older", "4294967295")], "max-age=0"),
        ] as [([(String, String)], String)])
    func timeInTheGatewayIsTakenOff(_ part: [(String, String)], _ expected: String) throws {
        #expect(try fields([part]).cacheControl == expected)
    }

    @Test(
        arguments: [
            (["Accept"], "Accept"), (["Accept, Origin", "origin ,X-A"], "Accept, Origin, X-A"), (["*", "Accept"], "*"),
            (["Accept", ""], "Accept"), ([",a,,b"], "a, b"), (["a b, c\""], "*"),
            (["Accept-Language", "accept-language"], "Accept-Language"),
            (["", "Accept-Language"], "Accept-Language"), (["Accept", "*"], "*"),
            ([(0..<40).map { "h\($0)" }.joined(separator: ",")], "*"),
        ] as [([String], String)])
    func vary(_ values: [String], _ expected: String) throws {
        #expect(try fields(values.map { $0.isEmpty ? [] : [("vary", $0)] }).vary == expected)
    }

    @Test func fieldsThatTemplatesReadVaryTheView() throws {
        var first = part("a", "/{header.x-tenant}")
        first.headers = [.init(name: "Accept-Language", value: "{header.accept-language}")]
        let plan = try AggregatePlan(AggregateDefinition(parts: [first, part("b", "/{user}")]))
        var run = AggregateRun(hashSeed: 1)
        run.prepare(plan)
        for slot in 0..<plan.inputs.count { run.inputs.set(slot, to: [0x78].span) }
        run.begin()
        for part in 0..<2 {
            run.answerBegan(part, status: 200)
            run.answerHas(cacheControl: Array("public, max-age=9".utf8).span, part)
            run.answerHas(vary: Array("X-Tenant".utf8).span, part)
            run.answerReceived([0x31].span, part)
            run.answerEnded(part)
        }
        var composer = ViewComposer()
        var body = ByteBuffer()
        composer.compose(run, into: &body)
        expect(composer.vary().text, "X-Tenant, accept-language")
        expect(composer.cacheControl().text, "private, max-age=9")
    }

    // MARK: - Entity tags

    private static let tag = EntityTag(of: Array(#"{"a":1}"#.utf8).span)
    private static let tagText: String = {
        var buffer = ByteBuffer()
        tag.append(to: &buffer)
        return buffer.text
    }()

    @Test func aTagIsAHashOfTheBody() {
        #expect(Self.tagText.count == 20 && Self.tagText.hasPrefix("W/\"") && Self.tagText.hasSuffix("\""))
        // The value must not change from version to version without need: clients keep it.
        #expect(Self.tag == EntityTag(of: Array(#"{"a":1}"#.utf8).span))
        #expect(Self.tag != EntityTag(of: Array(#"{"a":2}"#.utf8).span))
        #expect(EntityTag(of: Array("12345678x".utf8).span) != EntityTag(of: Array("12345678y".utf8).span))
        #expect(EntityTag(of: [0].span) != EntityTag(of: [0, 0].span))
    }

    /// RFC 9110 §13.1.2, §8.8.3.2.
    @Test(arguments: [
        ("TAG", true), ("*", true), (" * ", true), ("\"x\", TAG", true), ("TAG,\"x\"", true), ("STRONG", true),
        ("\"x\",,TAG", true), ("W/\"x\" , TAG ", true), ("\"a,b\", TAG", true), ("\"\", TAG", true), ("\"x\"", false),
        ("", false),
        ("x", false), ("TAGx", true), ("xTAG", false), ("*, TAG", false), ("\"x\" TAG", false), ("\"x", false),
        ("w/TAG", false), ("W/", false), ("W", false), ("\"", false), ("W/ TAG", false),
    ])
    func ifNoneMatch(_ field: String, _ expected: Bool) {
        let strong = String(Self.tagText.dropFirst(2))
        let value = field.replacing("TAG", with: Self.tagText).replacing("STRONG", with: strong)
        #expect(Self.tag.isNamed(byIfNoneMatch: Array(value.utf8).span) == expected, "\(value)")
    }

    @Test func aPartialViewIsNeverUnmodified() throws {
        var fixture = try RunFixture(definition(part("a", "/a"), part("b", "/b", optional: true)))
        fixture.answer(0, "1")
        fixture.answer(1, "2")
        _ = fixture.view()
        let tag = Array(fixture.composer.etag().text.utf8)
        expect(fixture.composer.isUnmodified(ifNoneMatch: tag.span), true)
        var partial = try RunFixture(definition(part("a", "/a"), part("b", "/b", optional: true)))
        partial.answer(0, "1")
        partial.run.partFailed(1, PartFailure(.timeout))
        _ = partial.view()
        expect(partial.composer.isUnmodified(ifNoneMatch: tag.span), false)
        expect(partial.composer.isUnmodified(ifNoneMatch: [0x2A].span), false)
    }
}
