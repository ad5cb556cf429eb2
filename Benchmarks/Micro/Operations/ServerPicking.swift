import Upstreams

/// The server for a request, of ten that are all there and have little to do.
struct ServerPicking: Workload, ~Copyable {
    private var balancer: LoadBalancer
    private let servers = Servers()
    private let hash: UInt64?

    /// One, as long as the server is there.
    let once: UInt64 = 1

    init(_ policy: LoadBalancer.Policy) {
        balancer = LoadBalancer(
            policy: policy, servers: (0..<10).map { LoadBalancer.Server(salt: UInt64($0) &* 0x9E37_79B9_7F4A_7C15) })
        hash = policy == .hash ? 0x5d8c_72a5_edda_8d6a : nil
    }

    mutating func check() throws(WrongResult) {
        var picked: Set<Int> = []
        for number in 0..<100 as Range<UInt64> {
            let request = PickRequest(random: LoadBalancer.mixed(number), hash: hash)
            let pick = balancer.pick(request, servers)
            try require(!pick.isPanic, "too few servers are there")
            picked.insert(pick.server)
        }
        try require(hash != nil ? picked.count == 1 : picked.count > 5, "\(picked) are picked")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var picks: UInt64 = 0
        for number in 0..<times {
            let request = PickRequest(random: UInt64(number) &* 0x9E37_79B9_7F4A_7C15, hash: hash)
            let pick = balancer.pick(request, servers)
            if pick.server < servers.loads.count { picks &+= 1 }
        }
        return picks
    }
}

/// What is known of the servers.
private struct Servers: ServerFigures {
    let loads = [3, 1, 4, 1, 5, 2, 6, 5, 3, 5]

    func isAvailable(_ server: Int) -> Bool { loads[server] >= 0 }
    func load(_ server: Int) -> Int { loads[server] }
}
