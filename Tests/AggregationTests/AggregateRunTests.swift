import ByteBuffers
import JSON
import Testing

@testable import Aggregation

private var example: AggregateDefinition {
    definition(
        part("task", "/tasks/{task_id}"), part("user", "/users/{task.user_id}", optional: true),
        part("comments", "/tasks/{task_id}/comments", optional: true, default: .array([])))
}

@Suite struct AggregateRunTests {
    @Test func partsStartWhenTheirInputsAreThere() throws {
        var fixture = try RunFixture(example)
        expect(fixture.actions(), [.start(0), .start(2)])
        expect(fixture.target(0), "/tasks/7")
        expect(fixture.target(2), "/tasks/7/comments")
        fixture.answer(2, "[1]")
        expect(fixture.actions(), [])
        fixture.answer(0, #"{"id":7,"user_id":"u 1"}"#)
        expect(fixture.actions(), [.start(1)])
        expect(fixture.target(1), "/users/u%201")
        fixture.answer(1, "{}")
        expect(fixture.actions(), [.finished])
        expect(fixture.outcome, .view(isPartial: false))
        expect(fixture.view(), #"{"task":{"id":7,"user_id":"u 1"},"user":{},"comments":[1]}"#)
    }

    @Test func aRunIsUsedAgain() throws {
        var fixture = try RunFixture(example)
        let plan = try AggregatePlan(example)
        for round in 0..<3 {
            fixture.prepare(plan, taskID: "\(round)")
            expect(fixture.actions(), [.start(0), .start(2)])
            expect(fixture.target(0), "/tasks/\(round)")
            if round == 1 {
                // Left in the middle.
                fixture.run.answerBegan(0, status: 200)
                fixture.run.answerReceived(Array("[[[".utf8).span, 0)
                continue
            }
            fixture.answer(0, "{\"user_id\":\(round)}")
            fixture.answer(2, "[]")
            fixture.answer(1, "\(round)")
            expect(fixture.view(), "{\"task\":{\"user_id\":\(round)},\"user\":\(round),\"comments\":[]}")
        }
    }

    /// routes.json, "Status and failure": what a failed required part makes of the view.
    @Test(
        arguments: [
            (404, 404), (410, 410), (401, 401), (403, 403), (400, 400), (422, 422), (402, 502), (405, 502), (409, 502),
            (429, 502), (451, 502), (500, 502), (502, 502), (503, 502), (504, 502), (301, 502), (304, 502), (206, 502),
            (199, 502),
        ] as [(UInt16, UInt16)])
    func statusesOfRequiredParts(_ status: UInt16, _ expected: UInt16) throws {
        var fixture = try RunFixture(example)
        _ = fixture.actions()
        fixture.run.answerBegan(0, status: status)
        expect(fixture.actions(), [.cancel(0), .cancel(2), .finished])
        expect(
            fixture.outcome, .failed(status: expected, part: 0, PartFailure(.badStatus, status: status)))
        // Late events change nothing.
        fixture.answer(0, "{}")
        fixture.answer(2, "{}")
        fixture.run.viewTimedOut()
        fixture.run.abandon()
        expect(fixture.actions(), [])
        expect(fixture.view(), "")
    }

    /// The gateway alone made the path, so 400 and 422 are not the client's doing.
    @Test(arguments: [400, 422] as [UInt16])
    func clientErrorsOfAPathWithoutInput(_ status: UInt16) throws {
        var fixture = try RunFixture(definition(part("a", "/a")))
        fixture.run.answerBegan(0, status: status)
        expect(fixture.outcome, .failed(status: 502, part: 0, PartFailure(.badStatus, status: status)))
    }

    @Test(
        arguments: [
            (.timeout, 504), (.connectFailed, 502), (.dnsFailed, 502), (.tlsFailed, 502), (.upstreamClosed, 502),
            (.upstreamProtocol, 502), (.upstreamTruncated, 502), (.upstreamOverloaded, 503), (.circuitOpen, 503),
            (.noHealthyEndpoint, 503), (.internal, 500), (.invalidJSON, 502), (.tooLarge, 502), (.missingValue, 502),
        ] as [(PartFailure.Reason, UInt16)])
    func failuresOfParts(_ reason: PartFailure.Reason, _ status: UInt16) throws {
        var required = try RunFixture(example)
        _ = required.actions()
        required.run.partFailed(0, PartFailure(reason))
        expect(required.actions(), [.cancel(2), .finished])
        expect(required.outcome, .failed(status: status, part: 0, PartFailure(reason)))

        var optional = try RunFixture(example)
        _ = optional.actions()
        optional.run.partFailed(2, PartFailure(reason))
        expect(optional.actions(), [])
        optional.answer(0, #"{"user_id":1}"#)
        optional.answer(1, "1")
        expect(optional.actions(), [.start(1), .finished])
        expect(optional.outcome, .view(isPartial: true))
        expect(optional.view(), #"{"task":{"user_id":1},"user":1,"comments":[]}"#)
        expect(optional.composer.partial().text, "comments;reason=\(reason.word)")
        expect(optional.composer.cacheControl().text, "no-store")
        expect(optional.composer.etag().text, "")
    }

    // MARK: - Strictness

    /// An optional part fails a strict view as a required one does (RFC 7240 §4.4).
    @Test(arguments: [false, true])
    func strictViews(isStrict: Bool) throws {
        let plan = try AggregatePlan(definition(part("a", "/a"), part("b", "/b", optional: true)))
        var run = AggregateRun(hashSeed: 1)
        run.prepare(plan)
        run.isStrict = isStrict
        run.begin()
        run.answerBegan(1, status: 404)
        let failure = PartFailure(.badStatus, status: 404)
        expect(run.outcome, isStrict ? .failed(status: 404, part: 1, failure) : nil)
        // The next view is another one's.
        run.prepare(plan)
        expect(run.isStrict, false)

        run.isStrict = isStrict
        run.begin()
        run.answerBegan(0, status: 200)
        run.answerReceived([0x31].span, 0)
        run.answerEnded(0)
        run.viewTimedOut()
        expect(
            run.outcome,
            isStrict ? .failed(status: 504, part: 1, PartFailure(.timeout)) : .view(isPartial: true))
    }

    @Test func whoWaitsForAFailedPartIsSkipped() throws {
        let chain = definition(
            part("a", "/a", optional: true), part("b", "/{a.x}", optional: true, default: .integer(2)),
            part("c", "/{b.x}", optional: true), part("d", "/d"))
        var fixture = try RunFixture(chain)
        expect(fixture.actions(), [.start(0), .start(3)])
        fixture.run.partFailed(0, PartFailure(.timeout))
        expect(fixture.actions(), [])
        fixture.answer(3, "4")
        expect(fixture.actions(), [.finished])
        expect(fixture.view(), #"{"a":null,"b":2,"c":null,"d":4}"#)
        expect(
            fixture.composer.partial().text, "a;reason=timeout, b;reason=missing_input, c;reason=missing_input")

        var required = try RunFixture(definition(part("a", "/a", optional: true), part("b", "/{a.x}"), part("c", "/c")))
        _ = required.actions()
        required.run.partFailed(0, PartFailure(.timeout))
        expect(required.outcome, .failed(status: 502, part: 1, PartFailure(.missingInput)))
        expect(required.actions(), [.cancel(2), .finished])
    }

    @Test(arguments: [
        ("{}", PartFailure.Reason.missingInput), (#"{"id":null}"#, .missingInput), (#"{"id":{}}"#, .missingInput),
        (#"{"id":[1]}"#, .missingInput), (#"{"id":""}"#, .missingInput), (#"{"id":".."}"#, .badInput),
        (#"{"id":"a\u0000"}"#, .badInput), ("[]", .missingInput), ("7", .missingInput), (#"{"id":"."}"#, .badInput),
    ])
    func inputsThatAnAnswerOwes(_ body: String, _ reason: PartFailure.Reason) throws {
        var optional = try RunFixture(definition(part("a", "/a"), part("b", "/b/{a.id}", optional: true)))
        _ = optional.actions()
        optional.answer(0, body)
        expect(optional.actions(), [.finished])
        expect(optional.view(), "{\"a\":\(body),\"b\":null}")
        expect(optional.composer.partial().text, "b;reason=\(reason.word)")

        var required = try RunFixture(definition(part("a", "/a"), part("b", "/b/{a.id}")))
        required.answer(0, body)
        expect(required.outcome, .failed(status: 502, part: 1, PartFailure(reason)))
    }

    @Test func inputsThatTheClientOwes() throws {
        let view = definition(part("a", "/a"), part("b", "/b/{query.q}"))
        var missing = try RunFixture(view)
        // Nothing was started for nothing.
        expect(missing.actions(), [.finished])
        expect(missing.outcome, .failed(status: 400, part: 1, PartFailure(.missingInput, isClients: true)))
        var bad = try RunFixture(view, query: "q=%2e%2e")
        expect(bad.actions(), [.finished])
        expect(bad.outcome, .failed(status: 400, part: 1, PartFailure(.badInput, isClients: true)))
        var good = try RunFixture(view, query: "q=1")
        expect(good.actions(), [.start(0), .start(1)])
    }

    @Test func headersAndBodies() throws {
        var post = part("a", "/a")
        post.method = "POST"
        post.headers = [
            .init(name: "X-Tenant", value: "t-{query.tenant}"), .init(name: "X-Plain", value: "1"),
            .init(name: "X-Gone", value: "{query.gone}"),
        ]
        post.body = .object([JSONMember(name: "id", value: .string("{task_id}"))])
        var fixture = try RunFixture(definition(post, part("b", "/b")), query: "tenant=x")
        expect(fixture.run.headerLines(of: 0).text, "X-Tenant: t-x\r\nX-Plain: 1\r\n")
        expect(fixture.run.body(of: 0).text, #"{"id":"7"}"#)
        expect(fixture.run.headerLines(of: 1).text, "")
        expect(fixture.run.body(of: 1).text, "")
        expect(fixture.actions(), [.start(0), .start(1)])

        var injected = try RunFixture(definition(post), query: "tenant=x%0d%0aHost:%20evil")
        expect(injected.outcome, .failed(status: 400, part: 0, PartFailure(.badInput, isClients: true)))
        expect(injected.actions(), [.finished])
    }

    @Test func aHeaderThatAnAnswerOwesFailsThePart() throws {
        var second = part("b", "/b")
        second.headers = [.init(name: "X-A", value: "{a.x}")]
        var fixture = try RunFixture(definition(part("a", "/a"), second))
        fixture.answer(0, "{}")
        expect(fixture.outcome, .failed(status: 502, part: 1, PartFailure(.missingInput)))
    }

    @Test func theTimeOfTheView() throws {
        var required = try RunFixture(example)
        _ = required.actions()
        required.run.viewTimedOut()
        expect(required.actions(), [.cancel(0), .cancel(2), .finished])
        expect(required.outcome, .failed(status: 504, part: 0, PartFailure(.timeout)))

        var optional = try RunFixture(example)
        _ = optional.actions()
        optional.answer(0, #"{"user_id":1}"#)
        _ = optional.actions()
        optional.run.viewTimedOut()
        expect(optional.actions(), [.cancel(1), .cancel(2), .finished])
        expect(optional.view(), #"{"task":{"user_id":1},"user":null,"comments":[]}"#)
        expect(optional.composer.partial().text, "user;reason=timeout, comments;reason=timeout")

        // A required part that waits for an optional one fails by time, not for want of an input.
        var waiting = try RunFixture(definition(part("a", "/a", optional: true), part("b", "/{a.x}")))
        _ = waiting.actions()
        waiting.run.viewTimedOut()
        expect(waiting.outcome, .failed(status: 504, part: 1, PartFailure(.timeout)))
        expect(waiting.actions(), [.cancel(0), .finished])
    }

    @Test func theClientLeaves() throws {
        var fixture = try RunFixture(example)
        _ = fixture.actions()
        fixture.answer(2, "[]")
        fixture.run.abandon()
        expect(fixture.actions(), [.cancel(0), .finished])
        expect(fixture.outcome, .abandoned)
        expect((0..<3).map { fixture.run.state(of: $0) }, [.cancelled, .cancelled, .answered])
        fixture.run.abandon()
        expect(fixture.actions(), [])
    }

    @Test func aSecondAttemptBeginsAnew() throws {
        var fixture = try RunFixture(definition(part("a", "/a")))
        fixture.run.answerBegan(0, status: 200)
        fixture.run.answerHas(cacheControl: Array("no-store".utf8).span, 0)
        fixture.run.answerReceived(Array("{\"half".utf8).span, 0)
        fixture.answer(0, "[]")
        expect(fixture.view(), #"{"a":[]}"#)
        expect(fixture.composer.cacheControl().text, "")
    }

    @Test func eventsOfPartsThatDoNotRunAreIgnored() throws {
        var fixture = try RunFixture(example)
        fixture.answer(1, "1")
        fixture.run.partFailed(1, PartFailure(.timeout))
        fixture.answer(99, "1")
        expect(fixture.run.state(of: 1), .waiting)
        fixture.answer(0, #"{"user_id":1}"#)
        fixture.run.partFailed(0, PartFailure(.timeout))
        expect(fixture.run.state(of: 0), .answered)
        expect(fixture.outcome, nil)
    }
}
