import COpenSSL

/// Who may sign the certificates of clients.
struct ClientAuthorities: ~Copyable {
    private let chain: [OpaquePointer]
    private let bytes: [UInt8]

    /// The authorities of a PEM file; nil for none, so that clients are not asked.
    ///
    /// - Throws: ``TLSProblem`` where they cannot be read.
    init(_ bytes: [UInt8]?) throws(TLSProblem) {
        chain = if let bytes { try TLSCertificate.chain(bytes, .clientAuthorities) } else { [] }
        self.bytes = bytes ?? []
    }

    deinit { chain.forEach { X509_free($0) } }

    /// What tells one demand on clients from another, in 32 bytes.
    func identity(isRequired: Bool) -> [UInt8] { SHA256.digest([bytes, [chain.isEmpty ? 0 : isRequired ? 2 : 1]]) }

    /// Has clients asked for a certificate.
    func install(on set: OpaquePointer, isRequired: Bool) {
        guard !chain.isEmpty, let store = X509_STORE_new() else { return }
        for authority in chain {
            X509_STORE_add_cert(store, authority)
            SSL_CTX_add_client_CA(set, authority)
        }
        _ = banyan_ssl_ctx_set_verify_store(set, store)
        X509_STORE_free(store)
        SSL_CTX_set_verify(set, SSL_VERIFY_PEER | (isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nil)
    }
}

/// SHA-256 over several pieces, each with its length in front.
enum SHA256 {
    static func digest(_ pieces: [[UInt8]]) -> [UInt8] {
        var all: [UInt8] = []
        for piece in pieces {
            withUnsafeBytes(of: UInt64(piece.count)) { all += Array($0) }
            all += piece
        }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: CUnsignedInt = 0
        guard EVP_Digest(all, all.count, &digest, &count, EVP_sha256(), nil) == 1 else { return [] }
        return Array(digest[..<Int(count)])
    }
}

extension TLSSettings {
    /// What tells these settings from others.
    package var digest: [UInt8] {
        var pieces: [[UInt8]] = []
        for certificate in certificates {
            pieces.append(Array(certificate.names.joined(separator: ",").utf8))
            pieces += [
                certificate.certificate, certificate.key, certificate.ocsp ?? [], [certificate.ocsp == nil ? 0 : 1],
            ]
        }
        pieces += [clientAuthorities ?? [], [clientAuthorities == nil ? 0 : 1]]
        pieces.append([requiresClientCertificate ? 1 : 0, minimum == .tls12 ? 2 : 3])
        pieces.append([protocols.rawValue])
        return SHA256.digest(pieces)
    }
}
