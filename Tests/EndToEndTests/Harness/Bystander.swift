import Foundation
import Synchronization
import Testing

/// Well-behaved clients that go on asking, each on a connection of its own, while others attack.
final class Bystander: Sendable {
    /// The path that they ask for; the upstream answers it with `ok`.
    static let path = "/bystander"
    /// Within which time each of their requests has to be answered (security.md §2.4).
    private static let patience = Duration.seconds(2)

    private let state = Mutex(State())

    private struct State {
        var running = 0
        var isStopped = false
        var answers = 0
        var slowest = Duration.zero
        var faults: [String] = []
    }

    /// Begins to ask.
    init(_ edge: EdgeGateway, _ kinds: [ConnectionKind] = [.http1, .secureHTTP2]) throws {
        for kind in kinds {
            let asking = Asking(try edge.client(kind)) { try edge.client(kind) }
            state.withLock { $0.running += 1 }
            Thread { self.ask(asking) }.start()
        }
    }

    /// A client that one thread alone uses. It takes another connection long before the gateway ends one for its age
    /// (`limits.requestsPerConnection`).
    private final class Asking: @unchecked Sendable {
        private(set) var client: EdgeClient
        private let connect: () throws -> EdgeClient
        private var requests = 0

        init(_ client: EdgeClient, _ connect: @escaping () throws -> EdgeClient) {
            self.client = client
            self.connect = connect
        }

        func exchange(_ request: EdgeRequest) throws -> EdgeOutcome {
            requests += 1
            if requests % 1_000 == 0 {
                client.close()
                client = try connect()
            }
            return try client.exchange(request)
        }
    }

    private func ask(_ asking: Asking) {
        let request = EdgeRequest("GET", Self.path)
        while !state.withLock({ $0.isStopped }) {
            let began = ContinuousClock.now
            let result = Result { try asking.exchange(request) }
            let time = ContinuousClock.now - began
            let isStopped = state.withLock { state in
                switch result {
                case .success(let outcome) where outcome.status == 200 && outcome.text == "ok": state.answers += 1
                case .success(let outcome): state.faults.append("\(asking.client.kind.rawValue): \(outcome)")
                case .failure(let error): state.faults.append("\(asking.client.kind.rawValue): \(error)")
                }
                state.slowest = max(state.slowest, time)
                return state.isStopped || !state.faults.isEmpty
            }
            if isStopped { break }
            // So that it is the attack that is felt, and not the bystander.
            Thread.sleep(forTimeInterval: 0.003)
        }
        state.withLock { $0.running -= 1 }
    }

    /// Stops them: every request of theirs had its answer in time.
    func stop(_ attack: String) throws {
        state.withLock { $0.isStopped = true }
        try eventually("the bystanders stop") { state.withLock { $0.running == 0 } }
        let seen = state.withLock { $0 }
        #expect(seen.faults.isEmpty, "\(attack): \(seen.faults)")
        #expect(seen.answers > 0 && seen.slowest < Self.patience, "\(attack): \(seen.answers), \(seen.slowest)")
    }
}

extension StubUpstream {
    /// What was asked, but for the bystanders' requests.
    var requestsOfOthers: [HTTPText] { requests.filter { $0.target != Bystander.path } }
}

extension EdgeGateway {
    /// Runs an attack again and again, until memory stays. Meanwhile the process lives and serves others.
    func withstand(_ name: String, _ attack: () throws -> Void) throws {
        let bystander = try Bystander(self)
        try expectMemoryStays(name, attack)
        try bystander.stop(name)
    }

    /// What an attack takes is given back: of some attacks in a row, two leave no more behind than the most that one before them
    /// left. How far a single attack gets, and so what the allocator keeps for good, depends on how busy the machine is; a leak
    /// grows with each of them.
    func expectMemoryStays(_ name: String, _ attack: () throws -> Void) throws {
        var seen: [Int] = []
        var calm = 0
        while calm < 2 && seen.count < 10 {
            try attack()
            let now = try settledMemory()
            let most = seen.max() ?? 0
            seen.append(now)
            calm = now <= most + most / 32 ? calm + 1 : 0
            try #require(process.exitCode == nil, "\(name): \(process.transcript)")
        }
        #expect(calm == 2, "\(name): memory after each attack, in KiB: \(seen)")
    }

    /// The resident memory once it has stopped to change, in KiB.
    func settledMemory() throws -> Int {
        if Binaries.areSanitized { return 0 }
        var last = 0
        var same = 0
        try eventually("memory rests") {
            let now = try process.kibibytes("VmRSS")
            same = abs(now - last) < 128 ? same + 1 : 0
            last = now
            return same >= 8
        }
        return last
    }
}
