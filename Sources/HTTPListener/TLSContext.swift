import ByteBuffers
import COpenSSL
import Glibc

/// The TLS of one listener, made once for each configuration and shared by all workers; connections keep it alive.
///
/// Each set of certificates that some name is served with has an `SSL_CTX` of its own; which one, the client's server
/// name decides in the middle of the handshake. A set has one certificate of each kind of key, and OpenSSL takes the
/// one that the client can verify.
// SAFETY: nothing changes after init; OpenSSL allows an SSL_CTX that is set up to be used by several threads.
package final class TLSContext: @unchecked Sendable {
    /// The sets; the first one is for clients that ask for no name, or for none that is known.
    private let sets: [OpaquePointer]
    private let table: TLSNameTable
    private let certificates: [TLSCertificate]
    private let tickets: TLSTicketKeys
    private let protocols: SpokenProtocols
    /// What it was made of, as a digest, so that a reload that changes nothing can keep it.
    package let digest: [UInt8]
    /// What clients will not like about it, as of the time when it was made.
    package let advice: [TLSProblem]

    /// How long a client may take a session up again, in seconds: 4 hours.
    private static let sessionTime = 4 * 3_600

    /// Mozilla's "intermediate" list (version 5.7) without DHE, which costs the server most and no current client needs:
    /// forward secrecy and authenticated encryption alone. TLS 1.3 has only such.
    private static let ciphers = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
        """

    /// A context of these settings.
    ///
    /// - Parameters:
    ///   - settings: what it is made of.
    ///   - tickets: the keys of session tickets, the same for all listeners and over reloads.
    ///   - now: the time for which advice is given, in seconds since 1970.
    /// - Throws: ``TLSProblem`` for the first thing that makes it unusable.
    package init(_ settings: TLSSettings, tickets: TLSTicketKeys, now: Int64) throws(TLSProblem) {
        self.tickets = tickets
        protocols = settings.protocols
        digest = settings.digest
        var certificates: [TLSCertificate] = []
        var advice: [TLSProblem] = []
        for (number, material) in settings.certificates.enumerated() {
            let certificate = try TLSCertificate(material, number: number)
            certificates.append(certificate)
            advice += certificate.advice(number: number, now: now)
        }
        guard !certificates.isEmpty else { throw TLSProblem(.whole, "a listener with TLS needs a certificate") }
        self.certificates = certificates
        self.advice = advice
        let plan = try TLSCertificatePlan(
            zip(settings.certificates, certificates).map { ($0.names.isEmpty ? $1.names : $0.names, $1.kind) })
        table = TLSNameTable(plan.names)
        let authorities = try ClientAuthorities(settings.clientAuthorities)
        var sets: [OpaquePointer] = []
        do throws(TLSProblem) {
            for members in plan.sets {
                sets.append(
                    try Self.makeSet(members, of: certificates, settings: settings, authorities: authorities))
            }
        } catch {
            sets.forEach { SSL_CTX_free($0) }
            throw error
        }
        self.sets = sets
        for set in sets { install(on: set) }
    }

    deinit { sets.forEach { SSL_CTX_free($0) } }

    /// For each certificate the first name in it, and when the first of its chain ends, in seconds since 1970.
    package var ends: [(name: String, end: Int64)] { certificates.map { ($0.names.first ?? "", $0.end) } }

    // MARK: - Connections

    /// A new server-side connection; nil when there is no memory.
    func makeConnection() -> OpaquePointer? { SSL_new(sets[0]) }

    /// Whether a request for `host` may be answered on `connection`: not when the host would have been shown another set
    /// of certificates (RFC 9110 §7.4). Always where there is one set only.
    func serves(_ host: Span<UInt8>, on connection: OpaquePointer) -> Bool {
        sets.count == 1 || SSL_get_SSL_CTX(connection) == sets[table.set(for: host) ?? 0]
    }

    // MARK: - Setting up

    private static func makeSet(
        _ members: [Int], of certificates: [TLSCertificate], settings: TLSSettings,
        authorities: borrowing ClientAuthorities
    ) throws(TLSProblem) -> OpaquePointer {
        ERR_clear_error()
        guard let set = SSL_CTX_new(TLS_server_method()) else { throw TLSProblem(.whole, OpenSSLError.text()) }
        let minimum = settings.minimum == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION
        var isGood = banyan_ssl_ctx_set_minimum(set, minimum) == 1
        isGood = SSL_CTX_set_cipher_list(set, ciphers) == 1 && isGood
        isGood = banyan_ssl_ctx_set_groups(set, "X25519:P-256:P-384") == 1 && isGood
        banyan_ssl_ctx_set_options(set)
        banyan_ssl_ctx_set_modes(set)
        banyan_ssl_ctx_read_ahead(set)
        // Sessions are in the clients' tickets: a cache could not be shared with other processes and would have a size.
        banyan_ssl_ctx_disable_cache(set)
        SSL_CTX_set_timeout(set, sessionTime)
        // A session is taken up only where the same is asked of a client's certificate.
        let identity = authorities.identity(isRequired: settings.requiresClientCertificate)
        isGood = SSL_CTX_set_session_id_context(set, identity, CUnsignedInt(identity.count)) == 1 && isGood
        guard isGood else {
            SSL_CTX_free(set)
            throw TLSProblem(.whole, OpenSSLError.text())
        }
        for number in members {
            let certificate = certificates[number]
            let chain = banyan_chain_new()
            for link in certificate.chain.dropFirst() { _ = banyan_chain_push(chain, link) }
            let status = SSL_CTX_use_cert_and_key(set, certificate.chain[0], certificate.key, chain, 1)
            banyan_chain_free(chain)
            guard status == 1 else {
                SSL_CTX_free(set)
                throw TLSProblem(.certificate(number), "the certificate cannot be used: \(OpenSSLError.text())")
            }
        }
        authorities.install(on: set, isRequired: settings.requiresClientCertificate)
        return set
    }

    private func install(on set: OpaquePointer) {
        // SAFETY: connections hold the context that their SSL_CTX points to, and no callback runs but for a connection.
        let this = Unmanaged.passUnretained(self).toOpaque()
        SSL_CTX_set_ex_data(set, 0, this)
        banyan_ssl_ctx_set_name_callback(
            set, { ssl, _, data in TLSContext.of(data)?.choose(ssl) ?? SSL_TLSEXT_ERR_NOACK }, this)
        SSL_CTX_set_alpn_select_cb(
            set,
            { _, chosen, count, offered, offeredCount, data in
                TLSContext.of(data)?.agree(chosen, count, offered, offeredCount) ?? SSL_TLSEXT_ERR_NOACK
            }, this)
        banyan_ssl_ctx_set_status_callback(
            set, { ssl, data in TLSContext.of(data)?.staple(ssl) ?? SSL_TLSEXT_ERR_NOACK }, this)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(set) { ssl, name, vector, cipher, mac, isSealing in
            guard let ssl, let name, let vector, let cipher, let mac,
                let tickets = TLSContext.of(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0))?.tickets
            else { return -1 }
            return isSealing == 1
                ? tickets.seal(name, vector, cipher, mac) : tickets.open(name, vector, cipher, mac)
        }
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> TLSContext? {
        // SAFETY: see install(on:).
        data.map { Unmanaged<TLSContext>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: - Decisions during a handshake

    /// Takes the certificates of the name that the client asks for (RFC 6066 §3).
    private func choose(_ ssl: OpaquePointer?) -> CInt {
        guard let ssl, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        // SAFETY: OpenSSL holds the name, which ends with NUL and has none within, for as long as the handshake lasts.
        let host = UnsafeRawBufferPointer(start: name, count: strlen(name)).bindMemory(to: UInt8.self)
        if let set = table.set(for: host.span), set != 0 { SSL_set_SSL_CTX(ssl, sets[set]) }
        return SSL_TLSEXT_ERR_OK
    }

    /// Agrees on the first of our protocols that the client offers, and refuses one that offers none of them
    /// (RFC 7301 §3.2).
    private func agree(
        _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ count: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?, _ offeredCount: CUnsignedInt
    ) -> CInt {
        guard let chosen, let count, let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        // SAFETY: OpenSSL passes so many bytes, and keeps them for as long as the choice points into them.
        let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
        for wanted in [SpokenProtocols.http2, .http1] where protocols.contains(wanted) {
            var position = 0
            while position < list.count {
                let length = Int(list[position])
                guard position + 1 + length <= list.count else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                if UnsafeBufferPointer(rebasing: list[(position + 1)..<(position + 1 + length)]).span
                    .equals(wanted == .http2 ? "h2" : "http/1.1")
                {
                    chosen.pointee = offered + position + 1
                    count.pointee = UInt8(length)
                    return SSL_TLSEXT_ERR_OK
                }
                position += 1 + length
            }
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// Staples the OCSP response of the certificate that is shown, where there is one that still holds (RFC 6066 §8).
    private func staple(_ ssl: OpaquePointer?) -> CInt {
        guard let ssl, let shown = SSL_get_certificate(ssl),
            let ocsp = certificates.first(where: { $0.chain[0] == shown })?.ocsp, ocsp.until > Int64(time(nil))
        else { return SSL_TLSEXT_ERR_NOACK }
        banyan_ssl_set_status_response(ssl, ocsp.bytes, ocsp.bytes.count)
        return SSL_TLSEXT_ERR_OK
    }
}
