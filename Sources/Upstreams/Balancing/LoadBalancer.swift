/// Which server of an upstream gets the next request. A pure decision: what is known of the servers, randomness and the
/// hash come in.
///
/// There is always a server. The choice is widened until there is one: servers that are available, that this request
/// has not failed on yet, and that are in the zone that is preferred; then those of any zone; then those that it has
/// failed on. When too few are available (``PanicRule``), all are taken for available.
package struct LoadBalancer: Sendable {
    /// The rule.
    package enum Policy: Equatable, Sendable {
        /// One after the other, in the share of their weights, evenly mixed.
        case roundRobin
        /// The less loaded of two servers drawn by weight ("power of two choices").
        case leastRequest
        /// The server that a key belongs to; few keys move when servers come or go, and a server that has much more to
        /// do than the others passes keys on (``MaglevTable``, with bounded load).
        case hash
    }

    /// What is fixed of a server.
    package struct Server: Equatable, Sendable {
        /// Its share, at least 1; more than a million is taken for a million.
        package var weight: Int
        /// A number that stays its own when others come or go.
        package var salt: UInt64
        /// Whether it is in the gateway's zone.
        package var isInOwnZone: Bool

        /// A server of weight 1, in no zone.
        package init(weight: Int = 1, salt: UInt64 = 0, isInOwnZone: Bool = false) {
            self.weight = weight
            self.salt = salt
            self.isInOwnZone = isInOwnZone
        }
    }

    /// What holds for all policies.
    package struct Rules: Equatable, Sendable {
        /// When availability is ignored.
        package var panic = PanicRule()
        /// When servers of other zones are used.
        package var zone = ZoneRule()
        /// How many times the mean load a server may have before its keys are passed on.
        package var loadBound = 1.25
        /// A server with fewer requests keeps its keys, whatever the mean is: a few requests at a time for one key are
        /// no overload.
        package var leastLoadBound = 8

        /// The usual ones.
        package init() {}
    }

    private let policy: Policy
    let rules: Rules
    let weights: [Int]
    /// The sums of the weights up to and including each server.
    private let ends: [Int]
    private let hasEqualWeights: Bool
    /// Whether each server is in the gateway's zone; empty where all are, or none is.
    let isInOwnZone: [Bool]
    /// Smooth weighted round robin: what each server has saved up.
    private var credit: [Int]
    let table: MaglevTable?

    /// A balancer over `servers`, of which there is at least one.
    package init(policy: Policy, servers: [Server], rules: Rules = Rules()) {
        precondition(!servers.isEmpty, "an upstream has at least one server")
        self.policy = policy
        self.rules = rules
        let weights = servers.map { min(max($0.weight, 1), 1_000_000) }
        self.weights = weights
        var sum = 0
        ends = weights.map { weight in
            sum += weight
            return sum
        }
        hasEqualWeights = weights.allSatisfy { $0 == weights[0] }
        let own = servers.count { $0.isInOwnZone }
        isInOwnZone = own == 0 || own == servers.count ? [] : servers.map(\.isInOwnZone)
        credit = Array(repeating: 0, count: servers.count)
        table =
            policy == .hash && servers.count > 1 ? MaglevTable(weights: weights, salts: servers.map(\.salt)) : nil
    }

    /// The server for the next request.
    ///
    /// With the policy ``Policy/leastRequest`` two servers are looked at, as long as those that are drawn are available
    /// and warm and zones do not matter, and all of them otherwise; with ``Policy/hash`` one, as long as it is
    /// available and has little to do.
    package mutating func pick(_ request: PickRequest, _ servers: some ServerFigures) -> Pick {
        if weights.count == 1 { return Pick(server: 0, isPanic: !servers.isAvailable(0)) }
        switch policy {
        case .roundRobin: return nextInTurn(request, servers)
        case .leastRequest: return lessLoaded(request, servers)
        case .hash:
            // A request without a key goes by least request.
            guard let hash = request.hash, let table else { return lessLoaded(request, servers) }
            return keeper(of: hash, in: table, request, servers)
        }
    }

    func candidates(_ request: PickRequest, _ servers: some ServerFigures, zones: Bool = true) -> PickCandidates {
        PickCandidates(
            count: weights.count, isInOwnZone: zones ? isInOwnZone : [], panic: rules.panic, zone: rules.zone,
            avoiding: request.avoiding, bits: Self.mixed(request.random) >> 32, servers)
    }

    // MARK: - In turn

    private mutating func nextInTurn(_ request: PickRequest, _ servers: some ServerFigures) -> Pick {
        let candidates = candidates(request, servers)
        for width in PickCandidates.Width.allCases {
            var best = -1
            var sum = 0
            for server in weights.indices
            where candidates.allow(server, width, isInOwnZone: isInOwnZone, servers) {
                let share = weights[server] * readiness(server, candidates, servers)
                credit[server] += share
                sum += share
                if best < 0 || credit[server] > credit[best] { best = server }
            }
            guard best >= 0 else { continue }
            credit[best] -= sum
            return Pick(server: best, isPanic: candidates.isPanic)
        }
        return Pick(server: 0, isPanic: candidates.isPanic)
    }

    /// How far a server is warm; in panic that does not matter.
    private func readiness(_ server: Int, _ candidates: PickCandidates, _ servers: some ServerFigures) -> Int {
        candidates.isPanic ? SlowStart.whole : Self.readiness(server, servers)
    }

    private static func readiness(_ server: Int, _ servers: some ServerFigures) -> Int {
        min(max(servers.readiness(server), 1), SlowStart.whole)
    }

    // MARK: - The less loaded of two

    private func lessLoaded(_ request: PickRequest, _ servers: some ServerFigures) -> Pick {
        // Most of the time both that are drawn will do. Where one will not, another is drawn in its place among all
        // that will, which gives each of them the share that it should have.
        var first = drawn(request.random & 0xFFFF_FFFF, skipping: -1)
        if isInOwnZone.isEmpty, accepts(first, request, 1, servers) {
            let second = drawn(request.random >> 32, skipping: first)
            if accepts(second, request, 2, servers) {
                return Pick(server: lessLoaded(first, second, servers))
            }
            let candidates = candidates(request, servers)
            return pick(first, orElse: second, .preferred, candidates, request, servers)
        }
        let candidates = candidates(request, servers)
        if candidates.isPanic, !request.avoiding.contains(first) {
            return pick(
                first, orElse: drawn(request.random >> 32, skipping: first), .preferred, candidates, request, servers)
        }
        for width in PickCandidates.Width.allCases {
            guard let sample = sampled(candidates, width, skipping: -1, request.random, servers) else { continue }
            first = sample
            return pick(first, orElse: nil, width, candidates, request, servers)
        }
        return Pick(server: first, isPanic: candidates.isPanic)
    }

    /// The better one of `first` and a second one: in panic `second` as it was drawn, otherwise one that is drawn among
    /// the candidates.
    private func pick(
        _ first: Int, orElse second: Int?, _ width: PickCandidates.Width, _ candidates: PickCandidates,
        _ request: PickRequest, _ servers: some ServerFigures
    ) -> Pick {
        var other: Int?
        if candidates.isPanic, let second, !request.avoiding.contains(second) {
            other = second
        } else {
            other = sampled(candidates, width, skipping: first, ~request.random, servers)
        }
        guard let other else { return Pick(server: first, isPanic: candidates.isPanic) }
        return Pick(server: lessLoaded(first, other, servers), isPanic: candidates.isPanic)
    }

    /// The less loaded one. How warm they are has decided how often they are drawn, and does not count twice.
    private func lessLoaded(_ first: Int, _ second: Int, _ servers: some ServerFigures) -> Int {
        let firstLoad = Self.load(first, servers)
        let secondLoad = Self.load(second, servers)
        // Where nothing is under way the draw has decided, or a light server would never get anything.
        if firstLoad == 0, secondLoad == 0 { return first }
        // Loads are compared relative to the weights, without division: a/wa <= b/wb.
        return (firstLoad + 1) * weights[second] <= (secondLoad + 1) * weights[first] ? first : second
    }

    /// The load within bounds that products of it do not leave.
    static func load(_ server: Int, _ servers: some ServerFigures) -> Int {
        min(max(servers.load(server), 0), 1 << 31)
    }

    /// Whether a server that was drawn by its whole weight gets the request: by chance where it is not warm yet.
    private func accepts(
        _ server: Int, _ request: PickRequest, _ draw: UInt64, _ servers: some ServerFigures
    ) -> Bool {
        guard servers.isAvailable(server), !request.avoiding.contains(server) else { return false }
        let readiness = Self.readiness(server, servers)
        if readiness == SlowStart.whole { return true }
        let point = Self.mixed(request.random &+ draw).multipliedFullWidth(by: UInt64(SlowStart.whole)).high
        return point < UInt64(readiness)
    }

    /// A server drawn with a probability in the share of its weight; `bits` are 32 random bits.
    private func drawn(_ bits: UInt64, skipping: Int) -> Int {
        let total = ends[ends.count - 1] - (skipping < 0 ? 0 : weights[skipping])
        let product = bits.multipliedFullWidth(by: UInt64(total))
        var point = Int(product.high << 32 | product.low >> 32)
        if skipping >= 0, point >= ends[skipping] - weights[skipping] { point += weights[skipping] }
        if hasEqualWeights { return point / weights[0] }
        // The first server whose sum is beyond the point.
        var low = 0
        var high = ends.count - 1
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > point { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// A candidate drawn in the share of its weight, in one pass, because the states of the servers may change between
    /// two.
    private func sampled(
        _ candidates: PickCandidates, _ width: PickCandidates.Width, skipping: Int, _ random: UInt64,
        _ servers: some ServerFigures
    ) -> Int? {
        var sum = 0
        var sample: Int?
        var bits = random
        for server in weights.indices
        where server != skipping && candidates.allow(server, width, isInOwnZone: isInOwnZone, servers) {
            let share = weights[server] * readiness(server, candidates, servers)
            sum += share
            bits = Self.mixed(bits)
            if bits.multipliedFullWidth(by: UInt64(sum)).high < UInt64(share) { sample = server }
        }
        return sample
    }

    /// Mixes all bits of a number into all bits of the result (the finaliser of SplitMix64).
    package static func mixed(_ value: UInt64) -> UInt64 {
        var mix = value &+ 0x9E37_79B9_7F4A_7C15
        mix = (mix ^ (mix >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mix = (mix ^ (mix >> 27)) &* 0x94D0_49BB_1331_11EB
        return mix ^ (mix >> 31)
    }
}
