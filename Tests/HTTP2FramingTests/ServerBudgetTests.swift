import HTTP2Framing
import Testing

/// What a server may do to a connection of ours: more than a client in what servers do, less in what they never do.
@Suite struct ServerBudgetTests {
    /// How many of a frame, at once, are within the bound.
    private func most(_ type: HTTP2FrameType, length: Int = 8, _ budget: HTTP2Budget) -> Int {
        var budget = budget
        for count in 0..<100_000
        where budget.received(type.rawValue, flags: 0, length: length, at: 1_000_000) != nil { return count }
        return .max
    }

    @Test func eachKindHasABound() {
        let budget = HTTP2Budget(of: .server)
        #expect(most(.ping, budget) == 100)
        #expect(most(.settings, budget) == 100)
        #expect(most(.goAway, budget) == 100)
        #expect(most(.reset, budget) == 100)
        #expect(most(.windowUpdate, budget) == 5)
        #expect(most(.priority, budget) == 100)
        #expect(most(.continuation, budget) == 16)
        #expect(most(.data, length: 0, budget) == 100)
        #expect(most(.pushPromise, budget) == 0)
    }

    /// A server may reset what we have asked for, and open windows for it.
    @Test func requestsAllowResetsAndWindows() {
        var budget = HTTP2Budget(of: .server)
        for _ in 0..<50 { budget.requestBegan() }
        #expect(most(.reset, budget) == 200)
        #expect(most(.windowUpdate, budget) == 105)
    }

    /// Heads cost a server nothing, so that they allow it nothing.
    @Test func headsAllowNothing() {
        var budget = HTTP2Budget(of: .server)
        for _ in 0..<50 {
            #expect(budget.received(HTTP2FrameType.headers.rawValue, flags: 4, length: 8, at: 1_000_000) == nil)
        }
        #expect(most(.reset, budget) == 100)
    }

    /// Servers measure the way by a ping for what they are sent.
    @Test func contentAllowsPings() {
        var budget = HTTP2Budget(of: .server)
        for _ in 0..<500 { budget.dataSent() }
        #expect(most(.ping, budget) == 600)
    }
}
