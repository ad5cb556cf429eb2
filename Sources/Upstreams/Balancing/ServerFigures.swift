/// What a balancer needs to know of the servers at the moment of a pick; the answers may change between two questions.
///
/// Generic, not an existential: the shell passes a small value that reads its own state.
package protocol ServerFigures {
    /// Whether it should get requests: healthy, not ejected, its breaker would admit one.
    func isAvailable(_ server: Int) -> Bool
    /// How many requests it has under way, over all workers.
    func load(_ server: Int) -> Int
    /// How far it is warmed up, 1 … ``SlowStart/whole``.
    func readiness(_ server: Int) -> Int
}

extension ServerFigures {
    /// Every server is warm.
    package func readiness(_ server: Int) -> Int { SlowStart.whole }
}

/// What a pick depends on beside the servers.
package struct PickRequest: Sendable {
    /// 64 random bits.
    package var random: UInt64
    /// The hash of the key, where the policy is by key and the request has one.
    package var hash: UInt64?
    /// Servers that this request failed on already.
    package var avoiding = AvoidedServers()

    /// A request without a key that has not failed yet.
    package init(random: UInt64, hash: UInt64? = nil, avoiding: AvoidedServers = AvoidedServers()) {
        self.random = random
        self.hash = hash
        self.avoiding = avoiding
    }
}

/// The server for a request.
package struct Pick: Equatable, Sendable {
    /// Its index.
    package var server: Int
    /// Whether so few servers are available that it was picked among all of them, whatever their state.
    package var isPanic = false
}

/// Servers that a request failed on. Exact for the first 64 servers; of those behind it the last two are known.
package struct AvoidedServers: Equatable, Sendable {
    private var first: UInt64 = 0
    private var last: Int32 = -1
    private var lastButOne: Int32 = -1

    /// None.
    package init() {}

    /// Those whose bits are set, of the first 64.
    package init(mask: UInt64) { first = mask }

    /// Whether there is none.
    package var isEmpty: Bool { first == 0 && last < 0 }

    /// Whether `server` is one of them.
    package func contains(_ server: Int) -> Bool {
        if server < 64 { return server >= 0 && first >> UInt64(server) & 1 == 1 }
        return server == Int(last) || server == Int(lastButOne)
    }

    /// Adds `server`.
    package mutating func insert(_ server: Int) {
        if server < 64 {
            if server >= 0 { first |= 1 << UInt64(server) }
        } else if !contains(server) {
            lastButOne = last
            last = Int32(clamping: server)
        }
    }
}
