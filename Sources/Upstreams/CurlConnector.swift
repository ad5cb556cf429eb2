internal import CLibcurl
import EventLoops
import Glibc

/// Who waits for a connection to be opened.
class ConnectWaiter {
    /// Called once on the loop.
    func connected(_ stream: consuming ConnectionStream) {}
    /// Called once on the loop, instead.
    func connectFailed(_ failure: UpstreamFailure) {}
}

/// One connection being opened by libcurl: addresses one after the other and in parallel (happy eyeballs), TLS with
/// verification and client certificate; nothing of HTTP.
///
/// In clear, the socket is taken over and libcurl's handle freed at once. Under TLS the session lives in libcurl's handle,
/// which therefore stays, in a multi of its own: libcurl looks through a multi's idle connections whenever it opens
/// another one, and would close those of ours that have an answer waiting to be read.
final class CurlConnector {
    private let easy: UnsafeMutableRawPointer
    private let multi: CurlMulti
    private let isSecure: Bool
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private var waiter: ConnectWaiter?
    private var isHandedOver = false

    /// Begins to open a connection to `address` at one of `candidates` (addresses in numbers).
    ///
    /// - Returns: nil when libcurl could not begin; the waiter is not called then.
    init?(
        _ address: EndpointAddress, candidates: [String], timeout: UInt64, shared: CurlMulti, loop: EventLoop,
        waiter: ConnectWaiter
    ) {
        guard let easy = curl_easy_init() else { return nil }
        guard let multi = address.isSecure ? CurlMulti(loop: loop) : shared else {
            curl_easy_cleanup(easy)
            return nil
        }
        self.easy = easy
        self.multi = multi
        isSecure = address.isSecure
        self.waiter = waiter
        configure(address, candidates, timeout)
        guard multi.add(easy, for: self) else { return nil }
    }

    deinit {
        if !isHandedOver {
            multi.remove(easy)
            curl_easy_cleanup(easy)
        }
        for list in lists { curl_slist_free_all(list) }
    }

    /// Gives up: nobody is told.
    func cancel() {
        waiter = nil
        multi.remove(easy)
    }

    private func configure(_ address: EndpointAddress, _ candidates: [String], _ timeout: UInt64) {
        let name = address.tls.serverName ?? address.host
        let urlName = name.contains(":") ? "[\(name)]" : name
        let scheme = address.isSecure ? "https" : "http"
        set(CURLOPT_URL, "\(scheme)://\(urlName):\(address.port)/")
        // The name is resolved already: libcurl's own resolver thread never runs.
        let numbers = candidates.map { $0.contains(":") ? "[\($0)]" : $0 }.joined(separator: ",")
        if let list = curl_slist_append(nil, "\(urlName):\(address.port):\(numbers)") {
            lists.append(list)
            _ = banyan_curl_set_list(easy, CURLOPT_RESOLVE, list)
        }
        set(CURLOPT_CONNECT_ONLY, 1)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_FRESH_CONNECT, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: timeout))
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_BUFFERSIZE, 1024)
        // Never what an environment variable says.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_PROTOCOLS_STR, scheme)
        guard address.isSecure else { return }
        set(CURLOPT_SSL_VERIFYPEER, address.tls.verifies ? 1 : 0)
        set(CURLOPT_SSL_VERIFYHOST, address.tls.verifies ? 2 : 0)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = address.tls.authorities {
            set(CURLOPT_CAINFO, file)
            _ = banyan_curl_set_text(easy, CURLOPT_CAPATH, nil)
        }
        if let file = address.tls.certificate { set(CURLOPT_SSLCERT, file) }
        if let file = address.tls.key { set(CURLOPT_SSLKEY, file) }
    }

    private func set(_ option: CURLoption, _ value: Int) { _ = banyan_curl_set_long(easy, option, value) }

    private func set(_ option: CURLoption, _ value: String) { _ = banyan_curl_set_text(easy, option, value) }

    /// Called by the multi when libcurl has done its part.
    func finished(_ code: CURLcode) {
        guard let waiter else { return }
        self.waiter = nil
        var socket: curl_socket_t = -1
        guard code == CURLE_OK, banyan_curl_get_socket(easy, &socket) == CURLE_OK, socket >= 0 else {
            waiter.connectFailed(Self.failure(code))
            return
        }
        var peer: UnsafeMutablePointer<CChar>?
        _ = banyan_curl_get_address(easy, &peer)
        // SAFETY: libcurl owns the text and keeps it until the handle goes; it is copied here.
        let peerText = peer.map { String(cString: $0) } ?? ""
        if isSecure {
            isHandedOver = true
            let session = CurlSession(easy: easy, multi: multi, lists: lists)
            lists = []
            waiter.connected(ConnectionStream(session: session, socket: socket, peer: peerText))
        } else {
            let own = fcntl(socket, F_DUPFD_CLOEXEC, 0)
            guard own >= 0 else {
                waiter.connectFailed(.connectFailed)
                return
            }
            waiter.connected(ConnectionStream(descriptor: Descriptor(owning: own), peer: peerText))
        }
    }

    private static func failure(_ code: CURLcode) -> UpstreamFailure {
        switch code {
        case CURLE_OPERATION_TIMEDOUT: .connectTimeout
        case CURLE_COULDNT_RESOLVE_HOST: .dnsFailed
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
            .tlsFailed
        default: .connectFailed
        }
    }
}

/// A TLS session that lives in libcurl's handle: freed with it.
final class CurlSession {
    private let easy: UnsafeMutableRawPointer
    private let multi: CurlMulti
    private let lists: [UnsafeMutablePointer<curl_slist>]
    /// What a send has begun and not ended.
    private var begun: UnsafeMutableRawBufferPointer?

    fileprivate init(easy: UnsafeMutableRawPointer, multi: CurlMulti, lists: [UnsafeMutablePointer<curl_slist>]) {
        self.easy = easy
        self.multi = multi
        self.lists = lists
    }

    deinit {
        multi.remove(easy)
        curl_easy_cleanup(easy)
        for list in lists { curl_slist_free_all(list) }
        if let begun { multi.giveRecord(begun) }
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        var count = 0
        switch curl_easy_recv(easy, buffer.baseAddress, buffer.count, &count) {
        case CURLE_OK: return count > 0 ? .bytes(count) : .ended
        case CURLE_AGAIN: return .wouldBlock
        default: return .failed(ECONNRESET)
        }
    }

    /// Sends the first of `bytes`, at most one record of TLS. When it would block, `bytes` must begin in the same way the
    /// next time.
    func send(_ bytes: UnsafeRawBufferPointer) -> TransferResult {
        guard !bytes.isEmpty else { return .wouldBlock }
        // What OpenSSL has begun to send it wants to see again: the same bytes, not fewer, and at the same place, where
        // the caller's buffers move. So a record stays where it is until it has been taken.
        let record: UnsafeMutableRawBufferPointer
        if let begun {
            record = begun
        } else {
            let space = multi.takeRecord()
            record = UnsafeMutableRawBufferPointer(rebasing: space[..<min(bytes.count, space.count)])
            record.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<record.count]))
        }
        var count = 0
        let code = curl_easy_send(easy, record.baseAddress, record.count, &count)
        if code == CURLE_AGAIN || (code == CURLE_OK && count == 0) {
            begun = record
            return .wouldBlock
        }
        begun = nil
        multi.giveRecord(record)
        return code == CURLE_OK ? .bytes(count) : .failed(EPIPE)
    }
}

/// The byte stream of an open connection, in clear or encrypted; closed when its owner lets go.
struct ConnectionStream: ~Copyable {
    private let descriptor: Descriptor
    private let session: CurlSession?
    /// The number to watch.
    let socket: CInt
    /// The peer's address in numbers.
    let peer: String

    init(descriptor: consuming Descriptor, peer: String) {
        socket = descriptor.number
        self.descriptor = descriptor
        session = nil
        self.peer = peer
    }

    init(session: CurlSession, socket: CInt, peer: String) {
        descriptor = Descriptor(owning: -1)
        self.session = session
        self.socket = socket
        self.peer = peer
    }

    /// Whether bytes may be waiting inside the session although the socket is not readable.
    var holdsBytes: Bool { session != nil }

    borrowing func receive(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        session?.receive(into: buffer) ?? Descriptor.receive(socket, into: buffer)
    }

    borrowing func send(_ bytes: UnsafeRawBufferPointer) -> TransferResult {
        session?.send(bytes) ?? Descriptor.send(socket, bytes)
    }

    /// Sends `first` and `second`; an encrypted stream takes `first` alone, and `second` with the next call.
    borrowing func send(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> TransferResult {
        guard let session else { return Descriptor.send(socket, first, second) }
        return session.send(first.isEmpty ? second : first)
    }

    /// Whether the peer has closed the connection or said something unasked, found out with one call.
    borrowing func looksDead() -> Bool {
        var byte: UInt8 = 0
        let count = recv(socket, &byte, 1, CInt(MSG_PEEK | MSG_DONTWAIT))
        return !(count < 0 && errno == EAGAIN)
    }
}
