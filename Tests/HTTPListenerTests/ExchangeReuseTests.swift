import EventLoops
import Testing

@testable import HTTPListener

/// Exchanges are used again, and those beyond what is kept are let go.
@Suite struct ExchangeReuseTests {
    /// Whoever told an exchange of what has ended it may be in the middle of that, and what an exchange owns refers back to
    /// it without holding it.
    @Test func anExchangeThatIsNotKeptOutlivesTheEventThatEndedIt() throws {
        let loop = try EventLoop()
        let server = HTTPServer(loop: loop, limits: ConnectionLimits())
        weak var last: ServerExchange?
        do {
            let exchanges = (0...1024).map { _ in server.takeExchange() }
            last = exchanges.last
            for exchange in exchanges { server.giveBack(exchange) }
        }
        #expect(last != nil, "the turn is not over")
        loop.runOnce(waiting: false)
        #expect(last == nil, "the memory of very many requests at once is given back")
    }
}
