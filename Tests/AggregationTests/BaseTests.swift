import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// Views that are another system's answer, of which parts are replaced.
@Suite struct BaseTests {
    private static func replacing(_ name: String, _ place: String, _ path: String) -> AggregateDefinition.Part {
        var made = part(name, path)
        made.replaces = place
        return made
    }

    private static func plan(_ parts: AggregateDefinition.Part...) throws(AggregateRejection) -> AggregatePlan {
        var view = AggregateDefinition(parts: [part("base", "/tasks/{task_id}?include=user,comments")] + parts)
        view.pathParameters = [.init(name: "task_id")]
        view.hasBase = true
        return try AggregatePlan(view)
    }

    private static func usual() throws -> AggregatePlan {
        try plan(
            replacing("user", "/user", "/users/{base.user_id}"),
            replacing("comments", "/comments", "/tasks/{task_id}/comments"))
    }

    private static let whole = #" { "id":1, "user_id":7, "user" : {"n":"old"} ,"comments":["old"], "z":1.0 } "#

    private static func begin(_ plan: AggregatePlan, served: UInt64) throws -> RunFixture {
        var fixture = try RunFixture(definition(part("x", "/x")))
        fixture.run.prepare(plan, served: served)
        for slot in 0..<plan.inputs.count { fixture.run.inputs.set(slot, to: Array("1".utf8).span) }
        fixture.run.begin()
        return fixture
    }

    @Test func whereNoFlagIsOnTheBytesPassUntouched() throws {
        var fixture = try Self.begin(Self.usual(), served: 0b110)
        expect(fixture.actions(), [.start(0)])
        fixture.answer(0, Self.whole)
        expect(fixture.actions(), [.finished])
        expect(fixture.view(), Self.whole)
        expect(fixture.outcome, .view(isPartial: false))
    }

    @Test func aPartWhoseFlagIsOnIsAskedAtTheSameTimeAndReplaces() throws {
        var fixture = try Self.begin(Self.usual(), served: 0b010)
        expect(fixture.actions(), [.start(0), .start(2)])
        fixture.answer(2, "[\"new\"]")
        fixture.answer(0, Self.whole)
        expect(fixture.view(), #"{"id":1, "user_id":7, "user" : {"n":"old"},"comments":["new"],"z":1.0}"#)
    }

    @Test func aPartThatNeedsTheBaseWaitsForIt() throws {
        var fixture = try Self.begin(Self.usual(), served: 0)
        expect(fixture.actions(), [.start(0), .start(2)])
        fixture.answer(0, Self.whole)
        expect(fixture.actions(), [.start(1)])
        expect(fixture.target(1), "/users/7")
        fixture.answer(1, #"{"n":"new"}"#)
        fixture.answer(2, "[]")
        expect(fixture.view(), #"{"id":1, "user_id":7,"user":{"n":"new"},"comments":[],"z":1.0}"#)
    }

    @Test func whatFailsLeavesTheBasesOwn() throws {
        var fixture = try Self.begin(Self.usual(), served: 0)
        _ = fixture.actions()
        fixture.run.partFailed(2, PartFailure(.connectFailed))
        fixture.answer(0, Self.whole)
        fixture.run.answerBegan(1, status: 503)
        expect(fixture.outcome, .view(isPartial: false))
        expect(fixture.view(), Self.whole)
        expect(
            fixture.composer.fallback().text, "user;reason=bad_status;status=503, comments;reason=connect_failed")
        expect(fixture.composer.partial().text, "")
        #expect(fixture.run.fellBack(1) && fixture.run.fellBack(2) && !fixture.run.fellBack(0))
        var late = try Self.begin(Self.usual(), served: 0b010)
        late.answer(0, Self.whole)
        late.run.viewTimedOut()
        expect(late.view(), Self.whole)
        expect(late.composer.fallback().text, "comments;reason=timeout")
    }

    @Test func withoutTheBaseThereIsNothing() throws {
        var fixture = try Self.begin(Self.usual(), served: 0b110)
        fixture.run.answerBegan(0, status: 404)
        expect(fixture.outcome, .failed(status: 404, part: 0, PartFailure(.badStatus, status: 404)))
    }

    /// All flags on: the old system is not asked, unless something fails or is still its own.
    @Test func whereEverythingIsReplacedTheBaseIsNotAsked() throws {
        func plan() throws -> AggregatePlan {
            try Self.plan(
                Self.replacing("task", "", "/tasks/{task_id}"),
                Self.replacing("comments", "/comments", "/tasks/{task_id}/comments"))
        }
        var fixture = try Self.begin(plan(), served: 0)
        expect(fixture.actions(), [.start(1), .start(2)])
        fixture.answer(1, #"{"id": 1}"#)
        fixture.answer(2, "[2]")
        expect(fixture.actions(), [.finished])
        expect(fixture.view(), #"{"id": 1,"comments":[2]}"#)

        // One is still the old system's: it is asked, and only that is taken of it.
        var half = try Self.begin(plan(), served: 0b100)
        expect(half.actions(), [.start(0), .start(1)])
        half.answer(1, #"{"id":5,"comments":"mine"}"#)
        half.answer(0, #"{"id":1,"comments":["old" ]}"#)
        expect(half.view(), #"{"id":5,"comments":["old" ]}"#)

        // One fails: now the old system is asked.
        var failing = try Self.begin(plan(), served: 0)
        _ = failing.actions()
        failing.run.partFailed(2, PartFailure(.timeout))
        expect(failing.actions(), [.start(0)])
        failing.answer(1, #"{"id":5}"#)
        failing.answer(0, #"{"id":1,"comments":["old"]}"#)
        expect(failing.outcome, .view(isPartial: false))
        expect(failing.view(), #"{"id":5,"comments":["old"]}"#)
        expect(failing.composer.fallback().text, "comments;reason=timeout")

        // The successor itself fails.
        var without = try Self.begin(plan(), served: 0)
        _ = without.actions()
        without.run.partFailed(1, PartFailure(.timeout))
        without.answer(2, "[9]")
        without.answer(0, #"{"id":1,"comments":["old"]}"#)
        expect(without.view(), #"{"id":1,"comments":[9]}"#)
    }

    @Test func placesInListsAreReplacedValueByValue() throws {
        var users = batch("users", "base.items[*].user_id", "/users?ids={each,}")
        users.replaces = "/items/*/user"
        let plan = try Self.plan(users)
        var fixture = try Self.begin(plan, served: 0)
        fixture.answer(
            0, #"{"items":[{"user_id":1,"user":"a"},{"user_id":2,"user":"b"},{"user_id":null,"user":null}]}"#)
        fixture.answer(1, #"[{"id":2,"n":1}]"#)
        expect(
            fixture.view(),
            #"{"items":[{"user_id":1,"user":"a"},{"user_id":2,"user":{"id":2,"n":1}},{"user_id":null,"user":null}]}"#)
        expect(fixture.composer.fallback().text, "users;reason=missing_value;values=1")
    }

    @Test func aViewAddsToItsBase() throws {
        var optional = part("more", "/more", optional: true, default: .array([]))
        optional.members = .only(["a"])
        var fixture = try Self.begin(Self.plan(optional), served: 0)
        expect(fixture.actions(), [.start(0), .start(1)])
        fixture.answer(0, #"{"id":1}"#)
        fixture.answer(1, #"{"a":1,"b":2}"#)
        expect(fixture.view(), #"{"id":1,"more":{"a":1}}"#)
    }

    /// What the base says in a part's place needs the base, which was not asked for as long as the part could answer.
    @Test func whenTheTimeIsOverTheBaseIsMissingToo() throws {
        func begin() throws -> RunFixture {
            var view = AggregateDefinition(parts: [
                part("base", "/b"), Self.replacing("task", "", "/t"), Self.replacing("user", "/user", "/u"),
                part("more", "/m", optional: true),
            ])
            (view.hasBase, view.namesErrors) = (true, true)
            return try Self.begin(AggregatePlan(view), served: 0)
        }
        for answered in [[], [1], [2], [2, 3]] {
            var fixture = try begin()
            expect(fixture.actions(), [.start(1), .start(2), .start(3)])
            for number in answered { fixture.answer(number, "{}") }
            fixture.run.viewTimedOut()
            expect(fixture.outcome, .failed(status: 504, part: 0, PartFailure(.timeout)))
        }
        // Nothing of the base is missing.
        var fixture = try begin()
        _ = fixture.actions()
        fixture.answer(1, #"{"id":1}"#)
        fixture.answer(2, "2")
        fixture.run.viewTimedOut()
        expect(fixture.outcome, .view(isPartial: true))
        expect(fixture.view(), #"{"id":1,"user":2,"more":null,"_errors":{"more":{"reason":"timeout"}}}"#)
        expect(fixture.composer.partial().text, "more;reason=timeout")
    }

    /// It is whole, whenever the part failed: only what nobody answered makes a view partial.
    @Test func aViewThatHasFallenBackIsNotPartial() throws {
        var view = AggregateDefinition(parts: [
            part("base", "/b"), Self.replacing("user", "/user", "/u"), part("more", "/m", optional: true),
        ])
        (view.hasBase, view.namesErrors) = (true, true)
        var late = try Self.begin(AggregatePlan(view), served: 0)
        late.answer(0, #"{"user":0}"#)
        late.answer(2, "1")
        late.run.viewTimedOut()
        expect(late.outcome, .view(isPartial: false))
        expect(late.view(), #"{"user":0,"more":1}"#)
        #expect(!late.composer.etag().text.isEmpty)

        var both = try Self.begin(AggregatePlan(view), served: 0)
        both.answer(0, #"{"user":0}"#)
        both.run.viewTimedOut()
        expect(both.outcome, .view(isPartial: true))
        expect(both.view(), #"{"user":0,"more":null,"_errors":{"more":{"reason":"timeout"}}}"#)
        expect(both.composer.fallback().text, "user;reason=timeout")
    }

    /// Values that were asked for are texts and numbers; nothing else in their place is one of them.
    @Test func whatNobodyAskedForKeepsItsPlace() throws {
        var users = batch("users", "base.items[*].by", "/users?ids={each,}")
        users.replaces = "/items/*/user"
        var fixture = try Self.begin(Self.plan(users), served: 0)
        fixture.answer(0, #"{"items":[{"by":"true","user":"a"},{"by":true,"user":"b"}]}"#)
        fixture.answer(1, #"{"true":1}"#)
        expect(fixture.view(), #"{"items":[{"by":"true","user":1},{"by":true,"user":"b"}]}"#)
    }

    @Test func whatHasNoPlaceBesideABaseIsRefused() {
        func issues(_ parts: AggregateDefinition.Part...) -> [String] {
            var view = AggregateDefinition(parts: [part("base", "/b")] + parts)
            view.hasBase = true
            do throws(AggregateRejection) {
                _ = try AggregatePlan(view)
                return []
            } catch {
                return error.issues.map { "\($0.part ?? "-") \($0.key): \($0.message)" }
            }
        }
        var merged = part("user", "/u")
        merged.isMerged = true
        var inner = part("name", "/n")
        inner.into = "task.name"
        expect(
            issues(merged),
            [#"user merge: the view is the answer of "base": "merge" has no meaning beside it, "into" has"#])
        expect(
            issues(Self.replacing("new", "/user", "/n"), part("user", "/u")),
            [#"user name: another part stands at "/user" of the base already"#])
        expect(
            issues(Self.replacing("task", "", "/t"), inner),
            [#"name into: "task" stands for the whole base, and is not always asked: put it into "base""#])
    }

    /// The view's own member has that name; two of them would be no JSON.
    @Test func errorsOfABaseMakeRoomForThoseOfTheView() throws {
        var view = AggregateDefinition(parts: [part("base", "/b"), part("more", "/more", optional: true)])
        view.hasBase = true
        view.namesErrors = true
        var fixture = try Self.begin(AggregatePlan(view), served: 0)
        _ = fixture.actions()
        fixture.run.partFailed(1, PartFailure(.timeout))
        fixture.answer(0, "{\"_errors\":{\"mine\":1},\"a\": 1}\n")
        expect(fixture.view(), #"{"a":1,"more":null,"_errors":{"more":{"reason":"timeout"}}}"#)
    }

    @Test(arguments: [
        ("", "{}", "another part replaces the whole base already"),
        ("user", "/x", "expected a JSON pointer to a member such as /user or /items/*/user, found \"user\""),
        ("/items/*", "/x", "expected a JSON pointer to a member such as /user or /items/*/user, found \"/items/*\""),
        ("/items/*/x", "/x", "a place with * cannot be found again where another part replaces the whole base"),
        ("/a", "/a", "another part replaces /a already"),
    ])
    func mistakes(_ place: String, _ other: String, _ message: String) {
        let first = Self.replacing("first", other == "/a" ? "/a" : "", "/first")
        do throws(AggregateRejection) {
            _ = try Self.plan(first, Self.replacing("second", place, "/second"))
            Issue.record("it was taken")
        } catch {
            #expect(error.issues.map(\.message) == [message])
        }
    }
}
