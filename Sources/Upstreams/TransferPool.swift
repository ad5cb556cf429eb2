import EventLoops
import HTTPMessage

/// The lanes of one worker to one endpoint, each a connection that libcurl carries whole transfers on: one at a time in
/// HTTP/1.1, many in HTTP/2.
///
/// The lane that was used last is used first, and filled before the next one.
final class TransferPool: EndpointPool {
    let isHTTP2: Bool
    private var lanes: [TransferLane] = []
    /// Lanes that can take a request, the next one last.
    private var roomy: [TransferLane] = []
    private var spare: [CurlTransfer] = []

    /// Transfers that are kept for the next requests.
    private static let mostSpare = 256

    init(address: EndpointAddress, isHTTP2: Bool, loop: EventLoop, bounds: UpstreamBounds) {
        self.isHTTP2 = isHTTP2
        super.init(address: address, loop: loop, bounds: bounds)
    }

    override var idleCount: Int { lanes.count { $0.isIdle } }
    override var openCount: Int { lanes.count }

    // MARK: - Attempts

    override func start(_ attempt: UpstreamAttempt, fresh: Bool = false) {
        limitWait(of: attempt)
        if fresh {
            // One that others are using, or that is being opened, is not stale.
            if isHTTP2, let lane = roomy.last(where: { $0.hasRoom && !$0.isIdle }) {
                begin(attempt, on: lane, connectingTo: nil)
                return
            }
            if openLane(for: attempt) { return }
        } else if let lane = nextLane(for: attempt) {
            begin(attempt, on: lane, connectingTo: nil)
            return
        }
        wait(attempt)
    }

    /// Has an attempt that was given a lane in vain try again, within the time that it has.
    func again(_ attempt: UpstreamAttempt) { wait(attempt) }

    override func openForWaiting() {
        while let attempt = waiting.first {
            if let lane = nextLane(for: attempt) {
                forget(attempt)
                begin(attempt, on: lane, connectingTo: nil)
                continue
            }
            guard openLane(for: attempt) else {
                waitForPlace()
                return
            }
        }
    }

    private func nextLane(for attempt: UpstreamAttempt) -> TransferLane? {
        while let lane = roomy.last {
            if lane.hasRoom {
                // A request that cannot be repeated is worth a look at the connection first.
                if isHTTP2 || attempt.mayBeRepeated || !lane.looksDead() { return lane }
                lane.close()
            } else {
                roomy.removeLast()
                lane.isListed = false
            }
        }
        return nil
    }

    private func openLane(for attempt: UpstreamAttempt) -> Bool {
        guard bounds.takeConnection(descriptors: descriptorsEach) else { return false }
        forget(attempt)
        guard let lane = TransferLane(pool: self) else {
            bounds.giveConnection(descriptors: descriptorsEach)
            attempt.fail(.connectFailed)
            return true
        }
        lanes.append(lane)
        hasRoom(lane, isNew: true)
        begin(attempt, on: lane, connectingTo: candidates)
        return true
    }

    private func begin(_ attempt: UpstreamAttempt, on lane: TransferLane, connectingTo addresses: [String]?) {
        guard let transfer = spare.popLast() ?? CurlTransfer(pool: self) else {
            attempt.fail(.connectFailed)
            return
        }
        guard transfer.prepare(attempt, on: lane, connectingTo: addresses), lane.begin(transfer) else {
            transfer.refuse(attempt)
            if lane.isIdle { lane.close() }
            return
        }
    }

    /// Keeps a transfer for the next request.
    func keep(_ transfer: CurlTransfer) {
        if spare.count < Self.mostSpare, !isRetired { spare.append(transfer) }
    }

    // MARK: - Lanes

    /// A lane can take another request.
    func hasRoom(_ lane: TransferLane) { hasRoom(lane, isNew: false) }

    private func hasRoom(_ lane: TransferLane, isNew: Bool) {
        if !lane.isListed {
            lane.isListed = true
            roomy.append(lane)
        }
        if !isNew, !waiting.isEmpty { openForWaiting() }
    }

    /// A lane is closed: its place is free.
    func gone(_ lane: TransferLane) {
        lanes.removeAll { $0 === lane }
        roomy.removeAll { $0 === lane }
        bounds.giveConnection(descriptors: descriptorsEach)
        if !waiting.isEmpty { openForWaiting() }
    }

    override func retire() {
        isRetired = true
        for lane in lanes where lane.isIdle { lane.close() }
        spare.removeAll()
    }

}
