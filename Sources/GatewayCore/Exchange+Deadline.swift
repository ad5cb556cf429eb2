import EventLoops
import HTTPListener
import HTTPMessage

// How long the whole exchange may take.

extension Exchange {
    /// Bounds the whole exchange, in milliseconds from now.
    func limit(to milliseconds: UInt64) {
        guard milliseconds != .max else { return }
        deadline.schedule(after: milliseconds)
        boundedUntil = deadline.deadline
    }

    /// Milliseconds that a trusted peer waits; `UInt64.max` where it does not say.
    var patience: UInt64 { identity.peerIsTrusted ? head.patience : .max }

    /// Milliseconds that the whole exchange has left; `UInt64.max` where it is not bounded.
    var timeLeft: UInt64 {
        if boundedUntil == .max { return .max }
        let now = worker.loop.now
        return boundedUntil > now ? boundedUntil - now : 0
    }

    /// The exchange goes on in another protocol, which lasts as long as its two sides like.
    func beginTunnel() {
        deadline.cancel()
        flush()
    }

    fileprivate func timeIsOver() {
        if cause == nil { cause = .upstreamTimeout }
        stop()
        fail(.upstreamTimeout)
    }
}

/// The bound of a whole exchange.
final class ExchangeDeadline: EventLoops.Timer {
    private unowned let exchange: Exchange

    init(_ exchange: Exchange) {
        self.exchange = exchange
        super.init(loop: exchange.worker.loop)
    }

    override func fire() { exchange.timeIsOver() }
}
