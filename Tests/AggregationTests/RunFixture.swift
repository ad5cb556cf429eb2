import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// A run under test, with its composer.
struct RunFixture: ~Copyable {
    var run = AggregateRun(hashSeed: 42)
    var composer = ViewComposer()

    init(_ definition: AggregateDefinition, taskID: String = "7", query: String = "") throws {
        let plan = try AggregatePlan(definition)
        prepare(plan, taskID: taskID, query: query)
    }

    mutating func prepare(_ plan: AggregatePlan, taskID: String = "7", query: String = "") {
        run.prepare(plan)
        for slot in 0..<plan.inputs.count where plan.inputs.source(slot) == .segment(0) {
            run.inputs.setCapture(slot, to: Array(taskID.utf8).span, isRest: false)
        }
        run.inputs.setQuery(Array(query.utf8).span, from: plan.inputs)
        run.begin()
    }

    mutating func actions() -> [AggregateAction] {
        var actions: [AggregateAction] = []
        while let action = run.nextAction() { actions.append(action) }
        return actions
    }

    mutating func answer(_ part: Int, _ body: String, status: UInt16 = 200) {
        answer(part, Array(body.utf8), status: status)
    }

    mutating func answer(_ part: Int, _ body: [UInt8], status: UInt16 = 200) {
        run.answerBegan(part, status: status)
        let half = body.count / 2
        run.answerReceived(body.span.extracting(0..<half), part)
        run.answerReceived(body.span.extracting(half..<body.count), part)
        run.answerEnded(part)
    }

    mutating func view() -> String {
        var body = ByteBuffer()
        composer.compose(run, into: &body)
        return body.text
    }

    var outcome: AggregateOutcome? { run.outcome }
    func target(_ part: Int) -> String { run.target(of: part).text }
}

/// `#expect` cannot look into what cannot be copied.
func expect<T: Equatable>(_ found: T, _ expected: T, _ location: SourceLocation = #_sourceLocation) {
    #expect(found == expected, sourceLocation: location)
}
