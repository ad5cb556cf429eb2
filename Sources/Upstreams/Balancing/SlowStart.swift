/// How a server that is new, or came back, gets its share bit by bit: caches and connections are cold at first.
package struct SlowStart: Equatable, Sendable {
    /// The readiness of a warm server.
    package static let whole = 1000

    /// How long it takes, in milliseconds; 0: no slow start.
    package let window: UInt64
    /// The readiness at the beginning, 1 … ``whole``.
    package let least: Int

    /// A slow start that begins with `least` thousandths of the share.
    package init(window: UInt64 = 10_000, least: Int = 100) {
        self.window = min(window, 1 << 40)
        self.least = min(max(least, 1), Self.whole)
    }

    /// How much of its weight a server has that began to serve at `since`; nil: it always has. Only proportions count,
    /// so that nothing changes where all servers are new at once.
    package func readiness(since: UInt64?, now: UInt64) -> Int {
        guard let since else { return Self.whole }
        let age = now > since ? now - since : 0
        guard age < window else { return Self.whole }
        return least + Int(UInt64(Self.whole - least) * age / window)
    }
}
