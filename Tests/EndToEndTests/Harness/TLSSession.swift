import COpenSSL

/// A client's end of TLS whose bytes somebody else carries. It believes any certificate: what is tested is behind it.
final class TLSSession {
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// Offers these protocols (RFC 7301).
    init(offering protocols: [String]) throws {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw ExchangeFailure("no TLS context") }
        defer { SSL_CTX_free(context) }
        guard let ssl = SSL_new(context), let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem())
        else { throw ExchangeFailure("no TLS session") }
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        // Without this an empty memory would look like the end of the connection.
        BIO_ctrl(incoming, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
        let names = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        SSL_set_alpn_protos(ssl, names, CUnsignedInt(names.count))
    }

    deinit { SSL_free(ssl) }

    /// Whether the peer has said that nothing more comes (RFC 8446 §6.1), or has said something that is no TLS.
    private(set) var hasEnded = false

    /// Goes on with the handshake; true once it is done.
    func shakeHands() throws -> Bool {
        ERR_clear_error()
        let status = SSL_do_handshake(ssl)
        if status == 1 { return true }
        guard SSL_get_error(ssl, status) == SSL_ERROR_WANT_READ else { throw ExchangeFailure("no TLS handshake") }
        return false
    }

    /// What was agreed on by ALPN.
    var agreed: String {
        var name: UnsafePointer<UInt8>?
        var count: CUnsignedInt = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
    }

    /// Takes bytes that have come, and gives what is inside of them.
    func open(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.withUnsafeBytes { _ = BIO_write(incoming, $0.baseAddress, CInt($0.count)) }
        guard SSL_is_init_finished(ssl) == 1 else { return [] }
        var plain: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            ERR_clear_error()
            let count = SSL_read(ssl, &buffer, CInt(buffer.count))
            if count > 0 {
                plain += buffer[..<Int(count)]
                continue
            }
            if SSL_get_error(ssl, count) != SSL_ERROR_WANT_READ { hasEnded = true }
            return plain
        }
    }

    /// The records that hold these bytes.
    func seal(_ bytes: [UInt8]) -> [UInt8] {
        if !bytes.isEmpty { _ = SSL_write(ssl, bytes, CInt(bytes.count)) }
        return takeOutput()
    }

    /// The record that asks for new keys, and for an answer to that (RFC 8446 §4.6.3).
    func sealKeyUpdate() -> [UInt8] {
        SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED)
        SSL_do_handshake(ssl)
        return takeOutput()
    }

    /// The record that says that nothing more comes.
    func sealGoodbye() -> [UInt8] {
        SSL_shutdown(ssl)
        return takeOutput()
    }

    /// What OpenSSL wants to send.
    func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(outgoing))
        let count = BIO_read(outgoing, &bytes, CInt(bytes.count))
        return Array(bytes.prefix(max(Int(count), 0)))
    }
}
