package import EventLoops
package import GatewayConfig

/// How a server is asked whether it would serve: begins to ask it, and calls `done` once, possibly at once, with nil where
/// all is well, else with what is not. What it returns is kept until then; letting go of it ends the asking.
package typealias PoolProbe = (
    _ server: ServerSection, _ upstream: UpstreamSection, _ loop: EventLoop, _ done: @escaping (String?) -> Void
) -> AnyObject

/// Asks the servers of a pool that is to get requests, before it does.
package final class PoolCheck {
    private let servers: [ServerSection]
    private let upstream: UpstreamSection
    private let loop: EventLoop
    private let probe: PoolProbe
    private var done: ((PoolCheck) -> Void)?
    private var underWay: [Int: AnyObject] = [:]
    private var next = 0
    private var deadline: ActionTimer?
    private var asked = 0
    private var failed: [(server: Int, text: String)] = []

    /// So many are asked at a time.
    private static let most = 32
    /// So long all of it may take, in milliseconds.
    private static let patience: UInt64 = 5_000

    /// A check that begins with ``begin()``.
    init(
        _ servers: [ServerSection], of upstream: UpstreamSection, loop: EventLoop, probe: @escaping PoolProbe,
        _ done: @escaping (PoolCheck) -> Void
    ) {
        self.servers = servers
        self.upstream = upstream
        self.loop = loop
        self.probe = probe
        self.done = done
    }

    /// Whether at least half of those that were asked are well.
    var isGood: Bool { failed.count * 2 <= asked }

    /// What is wrong with those that are not well, a line each, in the order of the file.
    var failures: [String] { failed.sorted { $0.server < $1.server }.map(\.text) }

    func begin() {
        let timer = ActionTimer(loop: loop) { [unowned self] in
            for server in underWay.keys.sorted() + Array(next..<servers.count) { take("no answer in time", of: server) }
            finish()
        }
        timer.schedule(after: Self.patience)
        deadline = timer
        goOn()
    }

    /// Ends it; `done` is not called.
    package func cancel() {
        done = nil
        underWay.removeAll()
        deadline?.cancel()
    }

    private func goOn() {
        while done != nil, underWay.count < Self.most, next < servers.count {
            let server = next
            next += 1
            var isOver = false
            let running = probe(servers[server], upstream, loop) { [weak self] failure in
                isOver = true
                self?.took(failure, of: server)
            }
            if !isOver { underWay[server] = running }
        }
        if underWay.isEmpty, next == servers.count { finish() }
    }

    private func took(_ failure: String?, of server: Int) {
        guard done != nil else { return }
        take(failure, of: server)
        // Where the answer comes at once, the loop that asks goes on by itself.
        if underWay.removeValue(forKey: server) != nil { goOn() }
    }

    private func take(_ failure: String?, of server: Int) {
        asked += 1
        if let failure { failed.append((server, "\(servers[server].url): \(failure)")) }
    }

    private func finish() {
        guard let done else { return }
        cancel()
        done(self)
    }
}
