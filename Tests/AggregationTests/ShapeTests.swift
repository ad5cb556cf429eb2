import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// What becomes of members on their way into a view, and what the view looks like.
@Suite struct ShapeTests {
    private static func shaped(
        _ name: String = "p", rename: [(String, String)] = [], flatten: [String] = [], merge: Bool = false,
        members: AggregateDefinition.Members = .all, optional: Bool = false, default value: JSONValue = .null
    ) -> AggregateDefinition.Part {
        var made = part(name, "/\(name)", optional: optional, default: value, members: members)
        made.renames = rename.map { ($0.0, $0.1) }
        made.flattened = flatten
        made.isMerged = merge
        return made
    }

    private func view(_ part: AggregateDefinition.Part, _ body: String) throws -> String {
        var fixture = try RunFixture(definition(part))
        fixture.answer(0, body)
        return String(fixture.view().dropFirst(5).dropLast())
    }

    @Test(
        arguments: [
            ([("a", "b")], #"{"a" : 1.0,"c":2}"#, #"{"b":1.0,"c":2}"#),
            ([("a", "b")], #"[{"a":1},{"c":2},7]"#, #"[{"b":1},{"c":2},7]"#),
            ([("/x/a", "b")], #"{"x":{"a":1},"a":2}"#, #"{"x":{"b":1},"a":2}"#),
            ([("/*/a", "b")], #"{"x":{"a":1},"y":{"a":2},"a":3}"#, #"{"x":{"b":1},"y":{"b":2},"a":3}"#),
            ([("a", "b"), ("b", "a")], #"{"a":1,"b":2}"#, #"{"b":1,"a":2}"#),
            ([("a", "b")], #"{"a":1,"b":2}"#, #"{"b":1}"#), ([("a", "b")], #"{"b":2,"a":1}"#, #"{"b":2}"#),
            ([("a", "b")], #"{"a":{"x":[1, {"y":2}]}}"#, #"{"b":{"x":[1, {"y":2}]}}"#),
            ([("/x/*", "b")], #"{"x":{"a":{"y":{"z":2}}}}"#, #"{"x":{"b":{"y":{"z":2}}}}"#),
            ([("a", "é\"")], #"{"\u0061":[1, 2]}"#, #"{"é\"":[1, 2]}"#), ([("a", "b")], "7", "7"),
        ] as [([(String, String)], String, String)])
    func renames(_ renames: [(String, String)], _ body: String, _ expected: String) throws {
        #expect(try view(Self.shaped(rename: renames), body) == expected)
    }

    @Test(arguments: [
        (["meta"], #"{"id":1,"meta":{"x":2, "y" : 3},"z":4}"#, #"{"id":1,"x":2,"y":3,"z":4}"#),
        (["meta"], #"{"id":1,"meta":{}}"#, #"{"id":1}"#),
        (["meta"], #"{"meta":null,"id":1}"#, #"{"meta":null,"id":1}"#),
        (["meta"], #"{"meta":[{"x":1}]}"#, #"{"meta":[{"x":1}]}"#),
        (["meta", "/meta/deep"], #"{"meta":{"deep":{"a":1},"b":2}}"#, #"{"a":1,"b":2}"#),
        (["/items/*/by"], #"{"items":[{"by":{"n":1}},{"by":{"n":2}}]}"#, #"{"items":[{"n":1},{"n":2}]}"#),
        (["meta"], #"{"id":1,"meta":{"id":2,"x":3}}"#, #"{"id":1,"x":3}"#),
        (["meta"], #"{"meta":{"id":2,"x":3},"\u0069d":1}"#, #"{"id":2,"x":3}"#),
    ])
    func flattening(_ names: [String], _ body: String, _ expected: String) throws {
        #expect(try view(Self.shaped(flatten: names), body) == expected)
    }

    /// What is said of a member by one pattern is not lost, or weakened, by what another one says of it.
    @Test(
        arguments: [
            (.only(["a", "/a/b/c"]), #"{"a":{"b":{"c":1,"d":2},"e":3},"f":4}"#, #"{"a":{"b":{"c":1,"d":2},"e":3}}"#),
            (
                .only(["/a", "/*/x"]), #"{"a":{"x":1,"y":{"z":2}},"f":{"x":1,"y":2}}"#,
                #"{"a":{"x":1,"y":{"z":2}},"f":{"x":1}}"#
            ),
            (.only(["/a/x", "/*/y"]), #"{"a":{"x":1,"y":2,"z":3}}"#, #"{"a":{"x":1,"y":2}}"#),
            (.only(["/0/a"]), #"[{"a":1,"b":2},{"a":3}]"#, #"[{"a":1}]"#),
            (.only(["/0/a", "/*/b"]), #"[{"a":1,"b":2},{"a":3,"b":4}]"#, #"[{"a":1,"b":2},{"b":4}]"#),
            (.only(["/l/1"]), #"{"l":[{"a":1},{"a":2}],"m":1}"#, #"{"l":[{"a":2}]}"#),
            (.only(["/0/a"]), #"{"0":{"a":1,"b":2},"1":3}"#, #"{"0":{"a":1}}"#),
            (.allBut(["/0/a", "/l/*"]), #"[{"a":1,"b":2},{"a":3}]"#, #"[{"b":2},{"a":3}]"#),
            (.allBut(["/l/0", "/l/*/a"]), #"{"l":[{"a":1},{"a":2,"b":3}]}"#, #"{"l":[{"b":3}]}"#),
        ] as [(AggregateDefinition.Members, String, String)])
    func patternsMeet(_ members: AggregateDefinition.Members, _ body: String, _ expected: String) throws {
        #expect(try view(Self.shaped(members: members), body) == expected)
    }

    /// A new name does not make a member stay that is not listed, nor does a part that is put into it.
    @Test func onlyWhatIsListedStays() throws {
        let renamed = Self.shaped(rename: [("a", "b"), ("/c/d", "e")], flatten: ["f"], members: .only(["id"]))
        #expect(try view(renamed, #"{"id":1,"a":2,"c":{"d":3},"f":{"g":4}}"#) == #"{"id":1}"#)
        let everywhere = Self.shaped(rename: [("/*/a", "b")], members: .only(["id"]))
        #expect(try view(everywhere, #"{"id":{"a":1},"c":{"a":2}}"#) == #"{"id":{"b":1}}"#)
        let nothing = Self.shaped(rename: [("/*/a", "b")], members: .only([]))
        #expect(try view(nothing, #"[{"a":1}]"#) == "[{}]")
        var fixture = try RunFixture(
            definition(
                Self.shaped("a", members: .only(["id"])),
                each("b", "a.secrets[*].u", "/b/{each}", into: "a.secrets[*].b")))
        fixture.answer(0, #"{"id":1,"secrets":[{"u":1,"key":"x"}]}"#)
        fixture.answer(2, "2")
        expect(fixture.view(), #"{"a":{"id":1}}"#)
    }

    @Test func whatIsSaidOfAMemberHoldsTogether() throws {
        var made = Self.shaped(rename: [("/by/id", "user_id")], flatten: ["by"], members: .allBut(["/by/secret", "x"]))
        made.pick = JSONPointer(["data"])
        #expect(
            try view(made, #"{"data":{"a":1,"by":{"id":7,"secret":8,"n":{"x":1}},"x":2}}"#)
                == #"{"a":1,"user_id":7,"n":{"x":1}}"#)
    }

    @Test(
        arguments: [
            (.first, #"{"a":{"id":1,"x":2},"id":0,"id2":3}"#), (.last, #"{"a":{"id":1,"x":2},"x":9,"id":5}"#),
        ] as [(AggregateDefinition.Conflicts, String)])
    func mergedPartsMeet(_ rule: AggregateDefinition.Conflicts, _ ignored: String) throws {
        var view = definition(
            part("a", "/a"), Self.shaped("b", merge: true), Self.shaped("c", merge: true))
        view.conflicts = rule
        var fixture = try RunFixture(view)
        fixture.answer(0, #"{"id":1}"#)
        fixture.answer(1, #"{"a":0,"x":{"k": 1},"y":2}"#)
        fixture.answer(2, #"{"y":3,"z":4}"#)
        expect(
            fixture.view(),
            rule == .first
                ? #"{"a":{"id":1},"x":{"k": 1},"y":2,"z":4}"# : #"{"a":0,"x":{"k": 1},"y":3,"z":4}"#)
    }

    @Test func aConflictCanFailTheView() throws {
        var view = definition(Self.shaped("b", merge: true), Self.shaped("c", merge: true))
        view.conflicts = .error
        for (second, obstacle) in [(#"{"y":1}"#, nil), (#"{"\u0078":1}"#, ViewComposer.Obstacle.nameConflict)] {
            var fixture = try RunFixture(view)
            fixture.answer(0, #"{"x":1}"#)
            fixture.answer(1, second)
            var body = ByteBuffer()
            let found = fixture.composer.compose(fixture.run, into: &body)
            expect(found, obstacle)
        }
    }

    @Test func whatIsMergedAndNoObjectKeepsItsName() throws {
        var fixture = try RunFixture(
            definition(
                Self.shaped("a", merge: true),
                Self.shaped("b", merge: true, optional: true, default: .object([.init(name: "n", value: .integer(1))])),
                Self.shaped("c", merge: true, optional: true)))
        fixture.answer(0, "[1]")
        fixture.run.partFailed(1, PartFailure(.connectFailed))
        fixture.run.partFailed(2, PartFailure(.connectFailed))
        expect(fixture.view(), #"{"a":[1],"n":1}"#)
    }

    @Test func errorsInAMergedView() throws {
        var view = definition(Self.shaped("a", merge: true), Self.shaped("b", merge: true, optional: true))
        view.namesErrors = true
        var fixture = try RunFixture(view)
        fixture.answer(0, "{}")
        fixture.run.partFailed(1, PartFailure(.connectFailed))
        expect(fixture.view(), #"{"_errors":{"b":{"reason":"connect_failed"}}}"#)
        // The name is the view's own, whatever a service sends.
        for rule in [AggregateDefinition.Conflicts.first, .last, .error] {
            view.conflicts = rule
            fixture = try RunFixture(view)
            fixture.answer(0, #"{"_errors":1,"x":2}"#)
            fixture.run.partFailed(1, PartFailure(.connectFailed))
            var body = ByteBuffer()
            let obstacle = fixture.composer.compose(fixture.run, into: &body)
            expect(obstacle, nil)
            expect(body.text, #"{"x":2,"_errors":{"b":{"reason":"connect_failed"}}}"#)
            fixture = try RunFixture(view)
            fixture.answer(0, #"{"_errors":1,"x":2}"#)
            fixture.answer(1, "{}")
            expect(fixture.view(), #"{"_errors":1,"x":2}"#)
        }
    }

    @Test func theOutputIsATemplate() throws {
        var view = definition(
            part("task", "/tasks/{task_id}", members: .allBut(["secret"])),
            part("user", "/users/{task.by}", optional: true),
            batch("tags", "task.tags[*]", "/tags?ids={each,}", optional: true, key: ["k"]))
        view.output = .object([
            .init(name: "id", value: .string("{task.id}")),
            .init(name: "asked", value: .string("{task_id}")),
            .init(name: "title", value: .string("{task.title} by {user.name}{{}}")),
            .init(name: "whole", value: .array([.string("{task}"), .string("{user}"), .null, .real(1.5)])),
            .init(name: "tags", value: .string("{tags}")), .init(name: "none", value: .string("{task.nothing}")),
        ])
        var fixture = try RunFixture(view)
        fixture.answer(0, #"{"id":1.0,"by":2,"title":"T\"1","secret":3,"tags":["x"]}"#)
        fixture.answer(2, #"[{"k":"x","l":1}]"#)
        fixture.answer(1, #"{"name":"U"}"#)
        expect(
            fixture.view(),
            #"{"id":1.0,"asked":"7","title":"T\"1 by U{}","whole":[{"id":1.0,"by":2,"title":"T\"1","tags":["x"]},"#
                + #"{"name":"U"},null,1.5],"tags":{"x":{"k":"x","l":1}},"none":null}"#)
    }

    @Test func joinsHoldInAnOutput() throws {
        var view = definition(
            part("a", "/a"), batch("b", "a.l[*].u", "/b?ids={each,}", optional: true, into: "a.l[*].b"))
        view.output = .array([.string("{a.l}"), .string("{a.l.1.u}")])
        var fixture = try RunFixture(view)
        fixture.answer(0, #"{"l":[{"u":1},{"u":2}]}"#)
        fixture.answer(1, #"{"1":true}"#)
        expect(fixture.view(), #"[[{"u":1,"b":true},{"u":2,"b":null}],2]"#)
    }

    /// What is left out of a value is left out of what an output names within it, too.
    @Test(
        arguments: [
            (.allBut(["/*/secret"]), "{a.x}", #"{"x":{"id":1,"secret":2}}"#, #"{"id":1}"#),
            (.allBut(["secret"]), "{a.1}", #"[{"secret":1},{"id":2,"secret":3}]"#, #"{"id":2}"#),
            (.only(["id"]), "{a.0}", #"[{"id":2,"secret":3}]"#, #"{"id":2}"#),
            (.only(["/l/*/id"]), "{a.l.0}", #"{"l":[{"id":2,"secret":3}]}"#, #"{"id":2}"#),
            (.only(["/l/*/id"]), "{a.l}", #"{"l":[{"id":2,"secret":3}]}"#, #"[{"id":2}]"#),
            (.allBut(["x", "/x/y/z"]), "{a.x}", #"{"x":{"y":{"z":1,"w":2}}}"#, #"{"y":{"w":2}}"#),
        ] as [(AggregateDefinition.Members, String, String, String)])
    func placesOfAnOutput(
        _ members: AggregateDefinition.Members, _ place: String, _ body: String, _ expected: String
    ) throws {
        var view = definition(Self.shaped("a", members: members))
        view.output = .array([.string(place)])
        var fixture = try RunFixture(view)
        fixture.answer(0, body)
        expect(fixture.view(), "[\(expected)]")
    }

    @Test func joinsHoldInAnElementThatAnOutputNames() throws {
        var view = definition(part("a", "/a"), batch("b", "a.l[*].u", "/b?ids={each,}", into: "a.l[*].b"))
        view.output = .string("{a.l.1}")
        var fixture = try RunFixture(view)
        fixture.answer(0, #"{"l":[{"u":1},{"u":2}]}"#)
        fixture.answer(1, #"{"1":true,"2":false}"#)
        expect(fixture.view(), #"{"u":2,"b":false}"#)
    }

    /// A part is the same value alone and within a text.
    @Test func partsInTexts() throws {
        var view = definition(part("a", "/a", pick: "/n"))
        view.output = .array([.string("{a}"), .string("n={a}")])
        var fixture = try RunFixture(view)
        fixture.answer(0, #"{"n":1.50,"u":[1]}"#)
        expect(fixture.view(), #"[1.50,"n=1.50"]"#)
    }

    private func issues(_ change: (inout AggregateDefinition) -> Void) -> [String] {
        var view = definition(part("a", "/a"), part("b", "/b"))
        change(&view)
        do throws(AggregateRejection) {
            _ = try AggregatePlan(view)
            return []
        } catch {
            return error.issues.map { "\($0.part ?? "-") \($0.key): \($0.message)" }
        }
    }

    @Test func mistakes() {
        #expect(
            issues { $0.output = .string("{c}") } == [
                "- output: at 0: {c} is neither a parameter of the path nor a part, did you mean \"a\"?"
            ])
        #expect(
            issues { $0.output = .string("{a}") } == [
                "b name: nothing uses the part: write {b} in \"output\", or \"into\""
            ])
        #expect(
            issues {
                $0.output = .array([.string("{a}"), .string("{b}")])
                $0.namesErrors = true
            } == ["- errors: the errors become a member of the view, and \"output\" is no object"])
        #expect(
            issues {
                $0.output = .object([.init(name: "_errors", value: .array([.string("{a}"), .string("{b}")]))])
                $0.namesErrors = true
            } == ["- output: the view's own member \"_errors\" has that name"])
        #expect(
            issues {
                $0.parts[0].isMerged = true
                $0.parts[0].members = .only(["id"])
                $0.parts[0].renames = [("x", "b")]
            } == [])
        #expect(
            issues {
                $0.parts[0].isMerged = true
                $0.parts[0].members = .only(["b"])
            } == ["b name: the view gets a member \"b\" from \"a\" already"])
        #expect(
            issues {
                $0.parts[0].isMerged = true
                $0.parts[1].isMerged = true
                $0.parts[0].members = .only(["id", "x"])
                $0.parts[1].renames = [("y", "x")]
            } == ["b merge: the view gets a member \"x\" from \"a\" already"])
        #expect(
            issues { $0.parts[0].flattened = ["/a~x"] } == [
                "a flatten: expected the name of a member or a JSON pointer such as /items/*/id, found \"/a~x\""
            ])
    }

    /// A hostile service cannot make names collide at a cost that grows with their square.
    @Test func manyMembersMeet() throws {
        let members = (0..<50_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        var fixture = try RunFixture(definition(Self.shaped("a", merge: true), Self.shaped("b", merge: true)))
        fixture.answer(0, "{\(members)}")
        fixture.answer(1, "{\(members)}")
        let start = ContinuousClock.now
        expect(fixture.view(), "{\(members)}")
        #expect(ContinuousClock.now - start < .seconds(20))
    }
}
