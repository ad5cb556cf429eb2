import Aggregation
import ByteBuffers

/// A view of a task, its user and its comments, 1 KiB each: the user is asked for by what the task says.
struct TaskView: ~Copyable {
    let task = Messages.object("\"id\":42,\"user_id\":20947")
    let user = Messages.object("\"id\":20947,\"name\":\"Ann\"")
    let comments = Messages.object("\"count\":3")
    private let plan: AggregatePlan
    private let segment = Array("42".utf8)
    var run = AggregateRun(hashSeed: 7)

    /// With so many of its parts, in their order.
    static func make(parts count: Int = 3) throws(WrongResult) -> TaskView {
        let parts = [
            AggregateDefinition.Part(name: "task", target: 0, path: "/tasks/{id}"),
            AggregateDefinition.Part(name: "user", target: 1, path: "/users/{task.user_id}"),
            AggregateDefinition.Part(name: "comments", target: 2, path: "/tasks/{id}/comments"),
        ]
        var definition = AggregateDefinition(parts: Array(parts.prefix(count)))
        definition.pathParameters = [TemplateScope.PathParameter(name: "id")]
        do throws(AggregateRejection) {
            return TaskView(try AggregatePlan(definition))
        } catch {
            throw WrongResult("the view is refused: \(error.issues)")
        }
    }

    private init(_ plan: AggregatePlan) { self.plan = plan }

    /// Begins a view, up to where its first requests are to be sent.
    mutating func begin() {
        let segment = segment
        run.prepare(plan)
        for slot in 0..<plan.inputs.count { run.inputs.setCapture(slot, to: segment.span, isRest: false) }
        run.begin()
    }

    /// Does what the view asks for next; the answer of a part comes at once, but for those in `waiting`. False when there
    /// is nothing to do.
    mutating func step(waiting: Int? = nil) -> Bool {
        guard let action = run.nextAction() else { return false }
        if case .start(let call) = action {
            let part = run.part(of: call)
            if part != waiting { answer(part, call) }
        }
        return true
    }

    private mutating func answer(_ part: Int, _ call: Int) {
        run.requestSent(call)
        run.answerBegan(call, status: 200)
        let text = part == 0 ? task : part == 1 ? user : comments
        run.answerReceived(text.span, call)
        run.answerEnded(call)
    }
}
