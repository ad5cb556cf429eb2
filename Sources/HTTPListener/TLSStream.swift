import ByteBuffers
import COpenSSL
import EventLoops

/// The TLS of one connection, over a socket that never blocks and that somebody else owns.
final class TLSStream {
    private let context: TLSContext
    private let ssl: OpaquePointer
    private let socket: CInt
    /// Whether the handshake is done.
    private(set) var isEstablished = false
    /// Whether OpenSSL may hold input that no event of the socket will tell of.
    private(set) var holdsInput = false
    /// Whether reading goes on only when the socket can be written, and the other way round.
    private(set) var readingNeedsWriting = false
    private(set) var writingNeedsReading = false
    /// What was agreed on by ALPN; empty where the client did not ask.
    private(set) var agreed: SpokenProtocols = []
    /// What the client has proved of itself.
    private(set) var clientCertificate: ClientCertificate?

    /// The length of a record that OpenSSL has sealed and the system has not taken: the same bytes must come again.
    private var unsent = 0
    /// Whether it is of no more use.
    private var isBroken = false
    private var saidGoodbye = false
    /// How much may still be read from the socket before the others have their turn.
    private var budget = 0

    /// Bytes of one record at most (RFC 8446 §5.1).
    static let recordSize = 16_384
    /// How much one event reads from the socket, whatever comes of it: a client may fill records with nothing for us.
    private static let readBudget = 65_536

    /// A server's end on `socket`; nil when there is no memory.
    init?(_ context: TLSContext, socket: CInt) {
        guard let ssl = context.makeConnection() else { return nil }
        self.context = context
        self.ssl = ssl
        self.socket = socket
        guard let method = TLSSocketMethod.shared, let bio = BIO_new(method.raw) else {
            SSL_free(ssl)
            return nil
        }
        // SAFETY: the BIO belongs to the connection, which deinit frees.
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        SSL_set_bio(ssl, bio, bio)
        SSL_set_accept_state(ssl)
    }

    deinit { SSL_free(ssl) }

    // MARK: - Handshake

    /// What came of a step of the handshake.
    enum Step: Equatable {
        case done
        /// It goes on when the socket is ready for this.
        case again(Poll.Events)
        case failed(HandshakeFailure)
    }

    /// Goes on with the handshake.
    func shakeHands() -> Step {
        budget = Self.readBudget
        ERR_clear_error()
        let status = SSL_do_handshake(ssl)
        if status == 1 {
            established()
            return .done
        }
        switch SSL_get_error(ssl, status) {
        case SSL_ERROR_WANT_READ: return .again(.readable)
        case SSL_ERROR_WANT_WRITE: return .again(.writable)
        default: break
        }
        isBroken = true
        let reason = banyan_error_reason(ERR_peek_error())
        ERR_clear_error()
        return .failed(HandshakeFailure(reason: reason))
    }

    private func established() {
        isEstablished = true
        holdsInput = SSL_has_pending(ssl) == 1
        var name: UnsafePointer<UInt8>?
        var count: CUnsignedInt = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        // SAFETY: the name belongs to the connection, and is looked at here alone.
        if count > 0 {
            agreed = UnsafeBufferPointer(start: name, count: Int(count)).span.equals("h2") ? .http2 : .http1
        }
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return }
        if SSL_get_verify_result(ssl) == CLong(X509_V_OK) { clientCertificate = ClientCertificate(certificate) }
        X509_free(certificate)
    }

    /// Whether a request for `host` may be answered here.
    func serves(_ host: Span<UInt8>) -> Bool { context.serves(host, on: ssl) }

    // MARK: - Transfer

    /// Reads what is there into `buffer`, which has room for a record at least.
    ///
    /// - Parameter fromSocket: false for what OpenSSL holds alone.
    func receive(into buffer: UnsafeMutableRawBufferPointer, fromSocket: Bool) -> TransferResult {
        budget = fromSocket ? Self.readBudget : 0
        holdsInput = false
        readingNeedsWriting = false
        var used = 0
        while buffer.count - used >= Self.recordSize {
            ERR_clear_error()
            let count = SSL_read(ssl, buffer.baseAddress.map { $0 + used }, CInt(clamping: buffer.count - used))
            guard count > 0 else {
                let end = endOfReading(SSL_get_error(ssl, count))
                if used == 0 { return end }
                // The end comes again with the next read, which no event of the socket will ask for.
                if end != .wouldBlock { holdsInput = true }
                return .bytes(used)
            }
            used += Int(count)
            if SSL_has_pending(ssl) == 0 { return .bytes(used) }
        }
        holdsInput = true
        return .bytes(used)
    }

    private func endOfReading(_ error: CInt) -> TransferResult {
        switch error {
        case SSL_ERROR_WANT_READ: return .wouldBlock
        case SSL_ERROR_WANT_WRITE:
            readingNeedsWriting = true
            return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            isBroken = true
            ERR_clear_error()
            return .failed(0)
        }
    }

    /// Writes as much of the three pieces, as if they were one, as the system takes, in as few records as they fit.
    /// What was not taken must come again, and nothing else.
    ///
    /// - Parameter staging: memory for one record, used during the call alone.
    func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ third: UnsafeRawBufferPointer,
        staging: UnsafeMutableRawBufferPointer
    ) -> TransferResult {
        let total = first.count + second.count + third.count
        var sent = 0
        writingNeedsReading = false
        while sent < total {
            let length = min(unsent > 0 ? unsent : Self.recordSize, total - sent)
            let record = Self.piece(first, second, third, from: sent, count: length, staging: staging)
            ERR_clear_error()
            let count = SSL_write(ssl, record, CInt(clamping: length))
            guard count > 0 else {
                switch SSL_get_error(ssl, count) {
                case SSL_ERROR_WANT_WRITE: unsent = length
                case SSL_ERROR_WANT_READ:
                    unsent = length
                    writingNeedsReading = true
                default:
                    isBroken = true
                    ERR_clear_error()
                    return .failed(0)
                }
                break
            }
            unsent = 0
            sent += Int(count)
        }
        return sent > 0 ? .bytes(sent) : .wouldBlock
    }

    /// `count` bytes from `start` on of the three pieces: where they are, or together in `staging`.
    private static func piece(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ third: UnsafeRawBufferPointer,
        from start: Int, count: Int, staging: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawPointer? {
        var offset = start
        var copied = 0
        for piece in [first, second, third] {
            if offset >= piece.count {
                offset -= piece.count
                continue
            }
            let available = min(piece.count - offset, count - copied)
            if copied == 0, available == count { return piece.baseAddress.map { $0 + offset } }
            UnsafeMutableRawBufferPointer(rebasing: staging[copied...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[offset..<(offset + available)]))
            copied += available
            offset = 0
            if copied == count { break }
        }
        return UnsafeRawPointer(staging.baseAddress)
    }

    /// Says that nothing more comes (RFC 8446 §6.1), once and where that is still possible. The client's own word is not
    /// waited for.
    func sayGoodbye() {
        guard isEstablished, !isBroken, !saidGoodbye, unsent == 0 else { return }
        saidGoodbye = true
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    // MARK: - The socket

    fileprivate func readSocket(_ target: UnsafeMutableRawBufferPointer) -> TransferResult {
        if budget <= 0 { return .wouldBlock }
        let result = Descriptor.receive(socket, into: target)
        if case .bytes(let count) = result { budget -= count }
        return result
    }

    fileprivate func writeSocket(_ bytes: UnsafeRawBufferPointer) -> TransferResult { Descriptor.send(socket, bytes) }
}

/// How OpenSSL reads from and writes to our sockets: never with a signal when the client is gone, and with a bound on
/// what one event reads.
// SAFETY: made once, and never changed afterwards.
private final class TLSSocketMethod: @unchecked Sendable {
    let raw: OpaquePointer

    static let shared = TLSSocketMethod()

    private init?() {
        guard let raw = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "banyan socket") else { return nil }
        self.raw = raw
        BIO_meth_set_create(raw) { bio in
            BIO_set_init(bio, 1)
            return 1
        }
        BIO_meth_set_read(raw) { bio, bytes, count in
            guard let stream = TLSSocketMethod.stream(of: bio), let bytes else { return -1 }
            banyan_bio_clear_retry(bio)
            switch stream.readSocket(UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))) {
            case .bytes(let count): return CInt(clamping: count)
            case .wouldBlock:
                banyan_bio_retry_reading(bio)
                return -1
            case .ended: return 0
            case .failed: return -1
            }
        }
        BIO_meth_set_write(raw) { bio, bytes, count in
            guard let stream = TLSSocketMethod.stream(of: bio), let bytes else { return -1 }
            banyan_bio_clear_retry(bio)
            switch stream.writeSocket(UnsafeRawBufferPointer(start: bytes, count: Int(count))) {
            case .bytes(let count): return CInt(clamping: count)
            case .wouldBlock:
                banyan_bio_retry_writing(bio)
                return -1
            case .ended, .failed: return -1
            }
        }
        // Nothing is buffered here, so that a flush has nothing to do; other requests are not for a socket.
        BIO_meth_set_ctrl(raw) { _, request, _, _ in request == BIO_CTRL_FLUSH ? 1 : 0 }
    }

    deinit { BIO_meth_free(raw) }

    private static func stream(of bio: OpaquePointer?) -> TLSStream? {
        // SAFETY: the stream frees its connection, and this BIO with it, before it goes.
        BIO_get_data(bio).map { Unmanaged<TLSStream>.fromOpaque($0).takeUnretainedValue() }
    }
}
