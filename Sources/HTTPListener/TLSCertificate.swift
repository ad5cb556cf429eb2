import COpenSSL
import Glibc

/// A certificate with its chain and its key, read from PEM and checked.
// SAFETY: nothing changes after init, and OpenSSL counts references to certificates and keys atomically.
final class TLSCertificate: @unchecked Sendable {
    /// The certificate, then those that signed it.
    let chain: [OpaquePointer]
    let key: OpaquePointer
    /// The DNS names that stand in it, in lower case.
    let names: [String]
    /// The response that is stapled, and until when it may be, in seconds since 1970.
    private(set) var ocsp: (bytes: [UInt8], until: Int64)?

    /// How long before its end a certificate is warned of, in seconds.
    static let warningTime: Int64 = 30 * 86_400

    /// Reads a certificate and its key.
    ///
    /// - Throws: ``TLSProblem`` where one of them cannot be read, or they do not belong together.
    init(_ material: TLSSettings.Certificate, number: Int) throws(TLSProblem) {
        chain = try Self.chain(material.certificate, .certificate(number))
        guard let key = Self.key(material.key) else {
            chain.forEach { X509_free($0) }
            ERR_clear_error()
            throw TLSProblem(.key(number), Self.keyMessage(material.key))
        }
        self.key = key
        names = Self.names(of: chain[0])
        guard X509_check_private_key(chain[0], key) == 1 else {
            ERR_clear_error()
            throw TLSProblem(.key(number), "the key does not belong to the certificate")
        }
        for name in material.names where !TLSNameTable.covers(name, by: names) {
            let held = names.isEmpty ? "no DNS name" : names.joined(separator: ", ")
            throw TLSProblem(.names(number), "the certificate is not for \"\(name)\": it names \(held)")
        }
        if let bytes = material.ocsp {
            ocsp = (bytes, try OCSPResponse.end(bytes, chain: chain, place: .ocsp(number)))
        }
    }

    deinit {
        chain.forEach { X509_free($0) }
        EVP_PKEY_free(key)
    }

    /// `RSA`, `EC` and the like; certificates of several kinds may serve one name.
    var kind: CInt { EVP_PKEY_get_base_id(key) }

    /// When the first certificate of the chain ends, in seconds since 1970.
    var end: Int64 { chain.map { Self.seconds(X509_get0_notAfter($0)) }.min() ?? 0 }

    // MARK: - Advice

    /// What clients will not like about it at `now`, in seconds since 1970.
    func advice(number: Int, now: Int64) -> [TLSProblem] {
        var found: [TLSProblem] = []
        for (index, certificate) in chain.enumerated() {
            let what = index == 0 ? "the certificate" : "certificate \(index + 1) of the chain"
            let end = Self.seconds(X509_get0_notAfter(certificate))
            if end <= now {
                found.append(TLSProblem(.fault, .certificate(number), "\(what) has expired on \(Self.day(end))"))
            } else if end - now < Self.warningTime {
                let days = (end - now) / 86_400
                found.append(
                    TLSProblem(
                        .warning, .certificate(number),
                        "\(what) expires on \(Self.day(end)), in \(days) day\(days == 1 ? "" : "s")"))
            }
            let start = Self.seconds(X509_get0_notBefore(certificate))
            if start > now {
                found.append(
                    TLSProblem(.fault, .certificate(number), "\(what) is not valid before \(Self.day(start))"))
            }
            if index + 1 < chain.count, X509_check_issued(chain[index + 1], certificate) != X509_V_OK {
                found.append(
                    TLSProblem(
                        .fault, .certificate(number),
                        "\(what) is not signed by the next one in the file: a chain goes from the certificate upwards"))
            }
        }
        if let ocsp, ocsp.until <= now {
            found.append(
                TLSProblem(.warning, .ocsp(number), "the response is out of date, and is not stapled any more"))
        }
        ERR_clear_error()
        return found
    }

    // MARK: - Reading

    /// The certificates of a PEM file, at least one.
    static func chain(_ bytes: [UInt8], _ place: TLSProblem.Place) throws(TLSProblem) -> [OpaquePointer] {
        var found: [OpaquePointer] = []
        let isWhole = withMemoryBIO(bytes) { bio in
            while let certificate = PEM_read_bio_X509(bio, nil, noPassword, nil) { found.append(certificate) }
            // The regular end is an error, too: no more begins.
            return banyan_error_reason(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        }
        ERR_clear_error()
        guard isWhole, !found.isEmpty else {
            found.forEach { X509_free($0) }
            throw TLSProblem(place, "expected certificates in PEM form (\"-----BEGIN CERTIFICATE-----\")")
        }
        return found
    }

    private static func key(_ bytes: [UInt8]) -> OpaquePointer? {
        withMemoryBIO(bytes) { PEM_read_bio_PrivateKey($0, nil, noPassword, nil) }
    }

    private static func keyMessage(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains("ENCRYPTED")
            ? "the key is encrypted: nobody can be asked for its password"
            : "expected a private key in PEM form (\"-----BEGIN PRIVATE KEY-----\")"
    }

    /// Without it OpenSSL would ask at the terminal.
    private static let noPassword:
        @convention(c) (UnsafeMutablePointer<CChar>?, CInt, CInt, UnsafeMutableRawPointer?) -> CInt = {
            _, _, _, _ in -1
        }

    static func withMemoryBIO<R>(_ bytes: [UInt8], _ body: (OpaquePointer?) -> R) -> R {
        bytes.withUnsafeBytes { raw in
            let bio = BIO_new_mem_buf(raw.baseAddress, CInt(clamping: raw.count))
            defer { BIO_free(bio) }
            return body(bio)
        }
    }

    private static func names(of certificate: OpaquePointer) -> [String] {
        AlternativeName.all(of: certificate).compactMap { name in
            name.kind == .dns ? String(decoding: name.bytes, as: UTF8.self).lowercased() : nil
        }
    }

    // MARK: - Times

    /// Seconds since 1970.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }

    private static func day(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }
}

/// A name of a certificate's subject (RFC 5280 §4.2.1.6).
struct AlternativeName {
    enum Kind { case dns, mail, uri, address }

    var kind: Kind
    var bytes: [UInt8]

    /// The names of `certificate`; kinds without a text of their own are left out.
    static func all(of certificate: OpaquePointer) -> [AlternativeName] {
        guard let names = banyan_alternative_names(certificate) else { return [] }
        defer { GENERAL_NAMES_free(names) }
        return (0..<banyan_names_count(names)).compactMap { index in
            var text: UnsafePointer<ASN1_STRING>?
            let type = banyan_name_at(names, index, &text)
            let kind: Kind
            switch type {
            case GEN_DNS: kind = .dns
            case GEN_EMAIL: kind = .mail
            case GEN_URI: kind = .uri
            case GEN_IPADD: kind = .address
            default: return nil
            }
            guard let text, let data = ASN1_STRING_get0_data(text) else { return nil }
            // SAFETY: the string belongs to `names`, which lives until the end of the function; its length is its own.
            let bytes = UnsafeBufferPointer(start: data, count: Int(ASN1_STRING_length(text)))
            return AlternativeName(kind: kind, bytes: Array(bytes))
        }
    }
}
