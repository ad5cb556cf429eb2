import Aggregation
import ByteBuffers

/// From the beginning of a view to the path of a part that another part's answer leads to.
struct PartAsking: Workload, ~Copyable {
    private static let path = "/users/20947"

    private var view: TaskView
    var once: UInt64 { UInt64(Self.path.utf8.count) }

    /// In this view.
    init(_ view: consuming TaskView) { self.view = view }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(view.run.target(of: 1).text, is: Self.path)
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            view.begin()
            while view.step(waiting: 1) {}
            written &+= UInt64(view.run.target(of: 1).count)
            view.run.abandon()
            while view.step() {}
        }
        return written
    }
}

/// The text of a view whose parts have all answered.
struct ViewComposing: Workload, ~Copyable {
    private var view: TaskView
    private var composer = ViewComposer()
    private var body = ByteBuffer()

    private(set) var once: UInt64 = 0

    /// Of this view.
    init(_ view: consuming TaskView) { self.view = view }

    mutating func check() throws(WrongResult) {
        view.begin()
        while view.step() {}
        once = run(1)
        try TaskView.check(body.text, view)
        try require(composer.etag().count > 8, "the view has no tag")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            body.removeAll()
            if composer.compose(view.run, into: &body) == nil { written &+= UInt64(body.count) }
        }
        return written
    }
}

/// A view from its beginning to its text.
struct ViewRunning: Workload, ~Copyable {
    private var view: TaskView
    private var composer = ViewComposer()
    private var body = ByteBuffer()

    private(set) var once: UInt64 = 0

    /// Of this view.
    init(_ view: consuming TaskView) { self.view = view }

    mutating func check() throws(WrongResult) {
        once = run(1)
        try TaskView.check(body.text, view)
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            view.begin()
            while view.step() {}
            body.removeAll()
            if composer.compose(view.run, into: &body) == nil { written &+= UInt64(body.count) }
        }
        return written
    }
}

extension TaskView {
    /// Throws where `text` is not the view.
    fileprivate static func check(_ text: String, _ view: borrowing TaskView) throws(WrongResult) {
        func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        let members = [("task", view.task), ("user", view.user), ("comments", view.comments)]
        let expected = members.map { "\"\($0.0)\":" + string($0.1) }.joined(separator: ",")
        try require(text, is: "{" + expected + "}")
        try require(view.run.outcome, is: .view(isPartial: false))
    }
}
