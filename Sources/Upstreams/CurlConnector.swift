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
    private let multi: ConnectMulti
    private let isSecure: Bool
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private var waiter: ConnectWaiter?
    private var isHandedOver = false

    /// Begins to open a connection to `address` at one of `candidates` (addresses in numbers).
    ///
    /// - Returns: nil when libcurl could not begin; the waiter is not called then.
    init?(
        _ address: EndpointAddress, candidates: [String], timeout: UInt64, shared: ConnectMulti, loop: EventLoop,
        waiter: ConnectWaiter
    ) {
        guard let easy = curl_easy_init() else { return nil }
        guard let multi = address.isSecure ? ConnectMulti(loop: loop) : shared else {
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
            multi.remove(connector: easy)
            curl_easy_cleanup(easy)
        }
        for list in lists { curl_slist_free_all(list) }
    }

    /// Gives up: nobody is told.
    func cancel() {
        waiter = nil
        multi.remove(connector: easy)
    }

    private func configure(_ address: EndpointAddress, _ candidates: [String], _ timeout: UInt64) {
        let options = CurlOptions(easy)
        options.lead(to: address)
        if let list = CurlOptions.resolved(address, to: candidates) {
            lists.append(list)
            options.set(CURLOPT_RESOLVE, list: list)
        }
        options.set(CURLOPT_CONNECT_ONLY, 1)
        options.set(CURLOPT_FRESH_CONNECT, 1)
        options.set(CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: timeout))
        options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        if address.isSecure, address.carrier == .http2 {
            // libcurl would begin to speak HTTP/2 by itself if it knew of it: the server is asked behind its back. One that
            // has another protocol to offer ends the handshake (RFC 7301 §3.2).
            options.set(CURLOPT_SSL_ENABLE_ALPN, 0)
            _ = banyan_curl_offer_http2(easy)
        }
        options.set(CURLOPT_BUFFERSIZE, 1024)
    }

    /// Called by the multi when libcurl has done its part.
    func finished(_ code: CURLcode) {
        guard let waiter else { return }
        self.waiter = nil
        var socket: curl_socket_t = -1
        guard code == CURLE_OK, banyan_curl_get_socket(easy, &socket) == CURLE_OK, socket >= 0 else {
            waiter.connectFailed(UpstreamFailure(opening: code))
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
}

/// A TLS session that lives in libcurl's handle: freed with it.
final class CurlSession {
    private let easy: UnsafeMutableRawPointer
    private let multi: ConnectMulti
    private let lists: [UnsafeMutablePointer<curl_slist>]
    /// What a send has begun and not ended.
    private var begun: UnsafeMutableRawBufferPointer?

    fileprivate init(easy: UnsafeMutableRawPointer, multi: ConnectMulti, lists: [UnsafeMutablePointer<curl_slist>]) {
        self.easy = easy
        self.multi = multi
        self.lists = lists
    }

    deinit {
        multi.remove(connector: easy)
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
