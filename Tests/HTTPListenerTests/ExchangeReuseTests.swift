import EventLoops
import Testing

@testable import HTTPListener

/// Exchanges are used again, and those beyond what is kept are let go.
@Suite struct ExchangeReuseTests {
    /// Holds itself until it is retired, as exchanges do whose parts hold them.
    private final class RoundExchange: ServerExchange {
        private var itself: ServerExchange?

        override init() {
            super.init()
            itself = self
        }

        override func retired() { itself = nil }
    }

    private final class RoundServer: HTTPServer {
        override func makeExchange() -> ServerExchange { RoundExchange() }
    }

    /// Who is left of exchanges that were all at work at once.
    private struct Crowd {
        private struct Member { weak var exchange: ServerExchange? }
        private let members: [Member]

        init(_ count: Int, of server: HTTPServer) {
            let exchanges = (0..<count).map { _ in server.takeExchange() }
            members = exchanges.map { Member(exchange: $0) }
            for exchange in exchanges { server.giveBack(exchange) }
        }

        var left: Int { members.count { $0.exchange != nil } }
    }

    /// Whoever told an exchange of what has ended it may be in the middle of that, and what an exchange owns refers back to
    /// it without holding it.
    @Test func anExchangeThatIsNotKeptOutlivesTheEventThatEndedIt() throws {
        let loop = try EventLoop()
        let server = HTTPServer(loop: loop, limits: ConnectionLimits())
        let crowd = Crowd(1_025, of: server)
        #expect(crowd.left == 1_025, "the turn is not over")
        loop.runOnce(waiting: false)
        #expect(crowd.left == 1_024, "the memory of very many requests at once is given back")
    }

    @Test func whatHoldsAnExchangeFromWithinIsCutWhenItIsNotKept() throws {
        let loop = try EventLoop()
        let server = RoundServer(loop: loop, limits: ConnectionLimits())
        let crowd = Crowd(3_000, of: server)
        loop.runOnce(waiting: false)
        #expect(crowd.left == 1_024)
        server.dropSpare()
        #expect(crowd.left == 0, "nothing outlives its server")
    }
}
