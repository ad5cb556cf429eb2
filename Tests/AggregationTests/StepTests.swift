import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// A part that writes.
private func step(
    _ name: String, _ path: String = "/x", optional: Bool = false, pick: String = ""
) -> AggregateDefinition.Part {
    var made = part(name, path, optional: optional, pick: pick)
    made.method = "POST"
    made.isStep = true
    return made
}

private func writing(_ parts: AggregateDefinition.Part...) -> AggregateDefinition {
    var definition = AggregateDefinition(parts: parts)
    definition.pathParameters = [.init(name: "task_id")]
    definition.isWrite = true
    return definition
}

extension RunFixture {
    /// Does what the run wants, as far as that is known at once; every request that is started is sent.
    fileprivate mutating func sent() -> [AggregateAction] {
        let actions = actions()
        for case .start(let call) in actions { run.requestSent(call) }
        return actions
    }

    fileprivate var report: String {
        var field = ByteBuffer()
        run.appendReport(to: &field)
        return field.text
    }
}

/// Views that write: the order of their steps, and what they tell of it.
@Suite struct StepTests {
    // MARK: - Order

    @Test func stepsStandBetweenWhatIsBeforeAndBehindThem() throws {
        let plan = try AggregatePlan(
            writing(
                part("a", "/a"), part("b", "/b"), step("c"), part("d", "/d"), part("e", "/{a.x}"), step("f"), step("g"),
                part("h", "/{d.x}")))
        #expect(plan.stages == [[0, 1], [2], [3, 4], [5], [6], [7]])
        #expect(plan.waits(of: 2) == [0, 1])
        #expect(plan.waits(of: 4) == [0, 2])
        #expect(plan.waits(of: 5) == [3, 4])
        #expect(plan.waits(of: 7) == [3, 6])
        #expect(plan.longestChain.map { plan.parts[$0].name } == ["a", "c", "d", "f", "g", "h"])
    }

    @Test func partsRunInThatOrder() throws {
        var fixture = try RunFixture(
            writing(part("a", "/a"), part("b", "/b"), step("c"), part("d", "/d"), part("e", "/{c.id}"), step("f")))
        expect(fixture.sent(), [.start(0), .start(1)])
        fixture.answer(1, "1")
        expect(fixture.sent(), [])
        fixture.answer(0, "1")
        expect(fixture.sent(), [.start(2)])
        fixture.answer(2, #"{"id":7}"#, status: 201)
        expect(fixture.sent(), [.start(3), .start(4)])
        expect(fixture.target(4), "/7")
        fixture.answer(4, "1")
        expect(fixture.sent(), [])
        fixture.answer(3, "1")
        expect(fixture.sent(), [.start(5)])
        fixture.answer(5, "", status: 204)
        expect(fixture.sent(), [.finished])
        expect(fixture.view(), #"{"a":1,"b":1,"c":{"id":7},"d":1,"e":1,"f":null}"#)
        expect(fixture.composer.cacheControl().text, "no-store")
        expect(fixture.composer.etag().text, "")
        expect(fixture.composer.report().text, "")
    }

    /// A step that lacks its input is over before its turn; that is nobody else's turn.
    @Test func whatCannotBeDoneDoesNotLetOthersPass() throws {
        var fixture = try RunFixture(
            writing(part("a", "/a", optional: true), step("b"), step("c", "/{a.x}", optional: true), step("d")))
        expect(fixture.sent(), [.start(0)])
        fixture.answer(0, "{}", status: 500)
        expect(fixture.sent(), [.cancel(0), .start(1)])
        fixture.answer(1, "1")
        expect(fixture.sent(), [.start(3)])
        expect(
            fixture.report,
            "a;state=failed;status=500, b;state=done;status=200, c;state=not_started;reason=missing_input, "
                + "d;state=unknown")
    }

    @Test func aStepThatMayFailIsGotOver() throws {
        var fixture = try RunFixture(writing(step("a", optional: true), step("b")))
        expect(fixture.sent(), [.start(0)])
        fixture.answer(0, "{}", status: 409)
        expect(fixture.sent(), [.cancel(0), .start(1)])
        fixture.answer(1, "[]")
        expect(fixture.sent(), [.finished])
        expect(fixture.view(), #"{"a":null,"b":[]}"#)
        expect(fixture.composer.report().text, "a;state=failed;status=409, b;state=done;status=200")
        expect(fixture.composer.partial().text, "a;reason=bad_status;status=409")
    }

    @Test(arguments: [
        (
            ["a": "/{c.x}"],
            "a path: \"a\" needs \"c\", which stands behind \"b\", and that writes: move \"c\" before it"
        ),
        (
            ["a": "/{b.x}"],
            "a path: \"a\" needs \"b\", which writes, and so waits for all parts before it: move \"b\" before it"
        ),
        (
            ["b": "/{c.x}"],
            "b path: \"b\" needs \"c\", which waits for it as all parts behind one that writes: move \"c\" before it"
        ),
    ])
    func whatStandsBehindAStepCannotBeNeededBefore(_ paths: [String: String], _ expected: String) {
        let found = issues(
            writing(part("a", paths["a"] ?? "/a"), step("b", paths["b"] ?? "/b"), part("c", paths["c"] ?? "/c")))
        #expect(found == [expected])
    }

    @Test func preconditionsAreForSteps() {
        var (reading, writer) = (part("a", "/a"), step("b"))
        reading.headers = [.init(name: "If-Match", value: "{header.if-match}")]
        writer.headers = reading.headers
        #expect(issues(writing(writer)).isEmpty)
        #expect(issues(writing(reading)) == ["a headers: \"If-Match\" is set by the gateway alone"])
    }

    @Test func stepsHaveNoPlaceBesideABase() {
        var definition = writing(part("base", "/b"), step("a"))
        definition.hasBase = true
        #expect(issues(definition).first?.hasPrefix("a method: a view with a \"base\" only reads") == true)
    }

    @Test func aStepAsksForOneValueAfterTheOther() throws {
        var many = step("b", "/{each}")
        many.fanOut = .init(values: "a[*]", isBatch: false)
        #expect(issues(writing(part("a", "/a"), many)).first?.hasPrefix("b concurrency: a part that writes") == true)
        many.fanOut?.concurrency = 1
        var fixture = try RunFixture(writing(part("a", "/a"), many))
        _ = fixture.sent()
        fixture.answer(0, "[1,2,3,4,5]")
        expect(fixture.sent(), [.start(2)])
        fixture.answer(2, "", status: 204)
        expect(fixture.sent(), [.start(3)])
        fixture.answer(3, "1", status: 201)
        expect(fixture.sent(), [.start(4)])
        fixture.answer(4, "{}", status: 409)
        expect(fixture.sent(), [.cancel(4), .finished])
        expect(fixture.outcome, .failed(status: 409, part: 1, PartFailure(.badStatus, status: 409)))
        expect(fixture.report, "a;state=done;status=200, b;state=failed;status=409;done=2;of=5")
    }

    // MARK: - What was done

    /// How a step can end, and what is known of it then.
    enum Ending: String, CaseIterable {
        case conflict, broken, unusable, cut, closed, refused, overloaded, silent, gone, goneAfterHead

        var state: String {
            switch self {
            case .conflict: "failed;status=409"
            case .broken: "failed;status=500"
            case .unusable: "done;status=201;reason=invalid_json"
            case .cut: "done;status=200;reason=upstream_truncated"
            case .closed: "unknown;reason=upstream_closed"
            case .refused: "not_started;reason=connect_failed"
            case .overloaded: "not_started;reason=upstream_overloaded"
            case .silent: "unknown;reason=timeout"
            case .gone: "unknown"
            case .goneAfterHead: "done;status=202"
            }
        }
    }

    @Test(arguments: 0..<4, Ending.allCases)
    func whatWasDoneWhenAPartFails(_ failing: Int, _ ending: Ending) throws {
        var fixture = try RunFixture(writing(step("s0"), part("s1", "/r"), step("s2"), step("s3")))
        for number in 0..<failing {
            expect(fixture.sent(), [.start(number)])
            fixture.answer(number, "{}")
        }
        expect(fixture.actions(), [.start(failing)])
        switch ending {
        case .overloaded: fixture.run.partFailed(failing, PartFailure(.upstreamOverloaded))
        case .refused:
            fixture.run.requestSent(failing)
            fixture.run.requestLost(failing)
            fixture.run.partFailed(failing, PartFailure(.connectFailed))
        default:
            fixture.run.requestSent(failing)
            switch ending {
            case .conflict: fixture.run.answerBegan(failing, status: 409)
            case .broken: fixture.run.answerBegan(failing, status: 500)
            case .unusable: fixture.answer(failing, "{", status: 201)
            case .cut:
                fixture.run.answerBegan(failing, status: 200)
                fixture.run.partFailed(failing, PartFailure(.upstreamTruncated))
            case .closed: fixture.run.partFailed(failing, PartFailure(.upstreamClosed))
            case .silent: fixture.run.viewTimedOut()
            case .gone: fixture.run.abandon()
            default:
                fixture.run.answerBegan(failing, status: 202)
                fixture.run.abandon()
            }
        }
        let actions = fixture.actions()
        expect(actions.last, .finished)
        #expect(
            !actions.contains { if case .start = $0 { true } else { false } }, "nothing more is started: \(actions)")
        let expected = (0..<4).map { number in
            var state = ending.state
            if number < failing {
                state = "done;status=200"
            } else if number > failing {
                state = "not_started"
            } else if number == 1, !state.hasPrefix("not_started") {
                // What only reads has a value or none.
                state = "failed" + state.drop { $0 != ";" }
            }
            return "s\(number);state=\(state)"
        }
        expect(fixture.report, expected.joined(separator: ", "))
    }

    @Test func theDocumentSaysTheSame() throws {
        var fixture = try RunFixture(writing(step("reserve"), step("charge"), part("note", "/n")))
        _ = fixture.sent()
        fixture.answer(0, "{}", status: 201)
        _ = fixture.sent()
        fixture.run.answerBegan(1, status: 409)
        var document = ByteBuffer()
        fixture.run.appendReport(toDocument: &document)
        expect(
            document.text,
            #""parts":[{"name":"reserve","state":"done","status":201},{"name":"charge","state":"failed","status":409},"#
                + #"{"name":"note","state":"not_started"}]"#)
    }

    /// What a step is refused with is the client's to know where it has a part in it.
    @Test(
        arguments: [
            (409, 409), (412, 412), (404, 404), (422, 422), (400, 400), (402, 502), (429, 502), (500, 502), (302, 502),
        ] as [(UInt16, UInt16)])
    func statusesOfSteps(_ status: UInt16, _ expected: UInt16) throws {
        var writer = step("a")
        writer.body = .object([.init(name: "x", value: .string("{task_id}"))])
        var fixture = try RunFixture(writing(writer))
        _ = fixture.sent()
        fixture.run.answerBegan(0, status: status)
        expect(fixture.outcome, .failed(status: expected, part: 0, PartFailure(.badStatus, status: status)))
    }

    // MARK: - Values

    @Test func anEmptyAnswerOfAStepIsNull() throws {
        var fixture = try RunFixture(writing(step("a", pick: "/data"), part("b", "/b", optional: true)))
        _ = fixture.sent()
        fixture.answer(0, "", status: 200)
        _ = fixture.sent()
        fixture.answer(1, "")
        expect(fixture.view(), #"{"a":null,"b":null}"#)
        expect(fixture.composer.partial().text, "b;reason=invalid_json")
    }

    @Test func nothingIsBegunWhereTheClientOwesWhatALaterPartNeeds() throws {
        var last = step("b")
        last.body = .object([.init(name: "q", value: .string("v {query.q}"))])
        var fixture = try RunFixture(writing(step("a"), last))
        expect(fixture.actions(), [.finished])
        expect(
            fixture.outcome, .failed(status: 400, part: 1, PartFailure(.missingInput, isClients: true)))
        expect(fixture.run.hasStarted, false)
        fixture = try RunFixture(writing(step("a"), last), query: "q=1")
        expect(fixture.actions(), [.start(0)])
        last.isOptional = true
        fixture = try RunFixture(writing(step("a"), last))
        expect(fixture.actions(), [.start(0)])
        last = step("b", "/{query.q}/{a.id}")
        fixture = try RunFixture(writing(step("a"), last), query: "q=a%00b")
        expect(fixture.outcome, .failed(status: 400, part: 1, PartFailure(.badInput, isClients: true)))
    }
}
