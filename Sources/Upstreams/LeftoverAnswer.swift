import ByteBuffers
import EventLoops
import HTTPMessage

/// Takes in the answer of a request that nobody waits for any more, so that its connection can carry the next one: opening
/// another would cost many times what a short answer does.
///
/// It stands in the place of the attempt that was given up, at the connection and among the requests that are under way, and
/// knows nothing of whoever had made it. An answer that is long, or late, is not worth it: the connection is closed.
final class LeftoverAnswer: UpstreamAttempt {
    private let place: Endpoint
    private var time: LeftoverTime?
    private var received: UInt64 = 0
    private var isOver = false

    /// How much of an answer's body is taken in, in bytes.
    static let mostBody: UInt64 = 65_536
    /// How long it may take, in milliseconds.
    static let patience: UInt64 = 1_000

    /// - Parameter place: the endpoint, where it has the place of the attempt that was given up.
    init(at place: Endpoint, loop: EventLoop) {
        self.place = place
        super.init()
        // One time counts, and what ends early is not asked for again.
        timeouts.head = .max
        timeouts.idle = .max
        isOnceOnly = true
        let time = LeftoverTime(self, loop: loop)
        time.schedule(after: Self.patience)
        self.time = time
    }

    /// Begins to be told of what `connection` reads.
    func begin(on connection: UpstreamConnection) {
        transport = connection
        state = .active
    }

    /// Closes the connection.
    func giveUp() {
        cancel()
        end()
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        time?.cancel()
        place.placeIsFree()
        place.pool.forget(leftover: self)
    }

    override func headReceived() {
        switch head.framing {
        case .length(let length) where length > Self.mostBody: giveUp()
        case .untilClose: giveUp()
        default: if !head.keepsAlive { giveUp() }
        }
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        received += UInt64(bytes.count)
        if received > Self.mostBody { giveUp() }
    }

    override func ended() { end() }

    override func failed(_ failure: UpstreamFailure) { end() }
}

/// How long an answer is waited for that nobody wants.
private final class LeftoverTime: EventLoops.Timer {
    private unowned let answer: LeftoverAnswer

    init(_ answer: LeftoverAnswer, loop: EventLoop) {
        self.answer = answer
        super.init(loop: loop)
    }

    override func fire() {
        // Nobody else may keep it after its end.
        let answer = answer
        answer.giveUp()
    }
}
