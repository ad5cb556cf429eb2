import ByteBuffers
import HTTPListener
import HTTPMessage
import Upstreams

/// An upstream as the request path of one worker sees it.
final class UpstreamPlan {
    let name: [UInt8]
    /// The name as a string of JSON.
    let nameInLog: [UInt8]
    /// The servers and their connections.
    let group: Upstream
    let timeouts: AttemptTimeouts
    /// The bound of a whole exchange, in milliseconds; `UInt64.max` for none.
    let totalTimeout: UInt64
    let host: HostRule
    let hashKey: HashKey?
    /// The field that tells the client who answered; empty when that is switched off.
    let servedByLine: [UInt8]
    /// How requests are repeated.
    let retry: RetryRules?
    /// When a second attempt is made beside a slow one.
    let hedge: HedgeRule?

    init(
        name: [UInt8], nameInLog: [UInt8], group: Upstream, timeouts: AttemptTimeouts, totalTimeout: UInt64,
        host: HostRule,
        hashKey: HashKey?, servedByLine: [UInt8], retry: RetryRules?, hedge: HedgeRule?
    ) {
        self.hedge = hedge
        self.retry = retry
        self.name = name
        self.nameInLog = nameInLog
        self.group = group
        self.timeouts = timeouts
        self.totalTimeout = totalTimeout
        self.host = host
        self.hashKey = hashKey
        self.servedByLine = servedByLine
    }
}

/// What stands in the `Host` field that an upstream sees.
enum HostRule: Equatable, Sendable {
    /// What the client sent.
    case preserve
    /// The server's own name.
    case server
    case fixed([UInt8])

    func append(_ head: borrowing RequestHead, endpoint: Endpoint, to buffer: inout ByteBuffer) {
        switch self {
        case .preserve where head.hasAuthority: head.copy(head.authority, to: &buffer)
        case .preserve, .server: buffer.append(endpoint.hostField)
        case .fixed(let name): buffer.append(name)
        }
    }
}

extension RequestHead {
    /// A hash of the bytes of `range` that is the same in every process (FNV-1a).
    fileprivate borrowing func hash(of range: ByteRange) -> UInt64 {
        let bytes = span(range)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in 0..<bytes.count { hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3 }
        return hash
    }
}

/// What requests are spread by where an upstream is balanced by hash.
enum HashKey: Equatable, Sendable {
    case user
    case path
    /// A field, in lower case.
    case header([UInt8])
    case cookie([UInt8])

    /// The hash of the request's key; nil when the request has none.
    func hash(_ exchange: Exchange) -> UInt64? {
        switch self {
        case .user: exchange.identity.user.isEmpty ? nil : exchange.hash(exchange.identity.user)
        case .path: exchange.hash(exchange.head.path)
        case .header(let name):
            exchange.head.onlyField(named: name.span).map { exchange.hash(exchange.head.fields[$0].value) }
        case .cookie(let name): exchange.head.cookie(named: name.span).map { exchange.hash($0) }
        }
    }
}

extension Exchange {
    /// The hash of the bytes of `range`, all of its bits mixed.
    fileprivate func hash(_ range: ByteRange) -> UInt64 {
        LoadBalancer.mixed(head.hash(of: range))
    }
}
