/// Something that the gateway does for requests, with all that it needs: made ready once, and then done so often.
protocol Workload: ~Copyable, SendableMetatype {
    /// What one time adds to what ``run(_:)`` returns; a time that goes wrong adds something else.
    var once: UInt64 { get }

    /// Does it once and looks at all that comes of it.
    mutating func check() throws(WrongResult)

    /// Does it so often, and adds up what comes of it: nothing is left out, and nothing goes wrong unseen.
    mutating func run(_ times: Int) -> UInt64
}

/// A workload that is ready to run, whatever it is.
package class ReadyOperation {
    fileprivate init() {}

    /// Does it so often.
    package func run(_ times: Int) throws(WrongResult) {}
}

/// Keeps a workload apart from its caller: the loop runs within one call, so that a time costs no more than what is done.
final class ReadyWorkload<Work: Workload & ~Copyable>: ReadyOperation {
    private var work: Work

    init(_ work: consuming Work) throws(WrongResult) {
        self.work = work
        super.init()
        try self.work.check()
    }

    override func run(_ times: Int) throws(WrongResult) {
        let sum = work.run(times)
        try require(sum == work.once &* UInt64(times), "\(times) times come to \(sum), one to \(work.once)")
    }
}
