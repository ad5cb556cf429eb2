import EventLoops
import Glibc
import Logging

/// How often a worker has stopped accepting, and why; and what it did to go on.
struct AcceptPauses: Equatable, Sendable {
    /// At its bound of connections.
    var full: UInt64 = 0
    /// Because the system refused a connection.
    var refused: UInt64 = 0
    /// The system's last reason.
    var code: CInt = 0
    /// How many connections that waited for a request were closed to let newcomers in.
    var gaveWay: UInt64 = 0

    static func += (left: inout AcceptPauses, right: AcceptPauses) {
        left.full += right.full
        left.refused += right.refused
        left.gaveWay += right.gaveWay
        if right.code != 0 { left.code = right.code }
    }
}

/// Tells in the log that newcomers wait to be accepted, or that others made room for them: when that begins, and again as
/// long as it goes on.
final class AcceptReport {
    private let log: Logger
    private let pauses: () -> AcceptPauses
    private var reported = AcceptPauses()
    private var timer: ActionTimer?

    /// How often is looked, and how long nothing more is said afterwards, in milliseconds.
    private static let lookInterval: UInt64 = 1_000
    private static let quietTime: UInt64 = 10_000

    /// `pauses` gives what all workers have counted.
    init(loop: EventLoop, log: Logger, _ pauses: @escaping () -> AcceptPauses) {
        self.log = log
        self.pauses = pauses
        timer = ActionTimer(loop: loop) { [unowned self] in look() }
        timer?.schedule(after: Self.lookInterval)
    }

    private func look() {
        let now = pauses()
        timer?.schedule(after: now == reported ? Self.lookInterval : Self.quietTime)
        if now.full > reported.full {
            log.warning("newcomers wait to be accepted: limits.connections is reached")
        }
        if now.gaveWay > reported.gaveWay {
            log.warning(
                "connections that waited for a request were closed to let newcomers in: limits.connections is reached",
                metadata: ["closed": "\(now.gaveWay - reported.gaveWay)"])
        }
        if now.refused > reported.refused {
            log.error("newcomers wait to be accepted: \(String(cString: strerror(now.code)))")
        }
        reported = now
    }
}
