import EventLoops
import Glibc

/// The addresses of one endpoint's host, looked up in the background and again every while.
///
/// A look-up that fails changes nothing: addresses that were once there go on being used.
final class EndpointResolver {
    /// What is known of the host.
    enum State: Equatable {
        /// The first look-up is under way.
        case pending
        case known([String])
        /// There never was an address.
        case failed
    }

    private let host: String
    private let loop: EventLoop
    private var lookup: AddressLookup?
    private var timer: ActionTimer?
    /// Called after each change of state.
    var changed: () -> Void = {}
    private(set) var state = State.pending

    /// How long after a look-up the next one follows, in milliseconds.
    var interval: UInt64 = 30_000
    /// A failure is tried again sooner.
    private static let retryInterval: UInt64 = 2_000

    /// Begins to look `host` up; an address in numbers is known at once.
    init(host: String, loop: EventLoop) {
        self.host = host
        self.loop = loop
        if Self.isNumeric(host) {
            state = .known([host])
            return
        }
        timer = ActionTimer(loop: loop) { [unowned self] in look() }
        look()
    }

    private static func isNumeric(_ host: String) -> Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1
    }

    private func look() {
        lookup = AddressLookup(loop: loop, host: host) { [unowned self] addresses in took(addresses) }
    }

    private func took(_ addresses: [String]?) {
        let old = state
        if let addresses {
            state = .known(addresses)
        } else if state == .pending {
            state = .failed
        }
        timer?.schedule(after: addresses == nil ? min(Self.retryInterval, interval) : interval)
        if state != old || state == .failed { changed() }
    }

    /// Whether a connection to `peer` still leads to the host.
    func includes(_ peer: String) -> Bool {
        guard case .known(let addresses) = state else { return true }
        return addresses.contains(peer)
    }
}
