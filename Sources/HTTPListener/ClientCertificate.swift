import ByteBuffers
import COpenSSL
import HTTPMessage

/// What a client has proved of itself by a certificate that one of the listener's authorities signed.
///
/// All texts are printable ASCII without line ends, whatever stands in the certificate.
package final class ClientCertificate: Sendable {
    /// The distinguished name, as RFC 2253 writes it; empty when there is none, or when it is longer than ``longest``.
    package let subject: [UInt8]
    /// The alternative names: `DNS:name, URI:uri, IP:address, email:address`, each percent-encoded where it holds a comma,
    /// a percent sign or anything but printable ASCII. Empty when there is none, or when they are longer than ``longest``.
    package let names: [UInt8]
    /// SHA-256 over the certificate, in hexadecimal digits.
    package let fingerprint: [UInt8]

    /// Longer texts are not passed on: a part of a name is another name.
    package static let longest = 8_192

    init(_ certificate: OpaquePointer) {
        subject = Self.bounded(Self.subject(of: certificate))
        names = Self.bounded(Self.text(of: AlternativeName.all(of: certificate)))
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: CUnsignedInt = 0
        if X509_digest(certificate, EVP_sha256(), &digest, &count) != 1 { count = 0 }
        let digits = Array("0123456789abcdef".utf8)
        fingerprint = digest[..<Int(count)].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        ERR_clear_error()
    }

    private static func bounded(_ text: [UInt8]) -> [UInt8] { text.count <= longest ? text : [] }

    private static func subject(of certificate: OpaquePointer) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { return [] }
        defer { BIO_free(bio) }
        guard X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, banyan_name_flags()) >= 0 else {
            return []
        }
        var text: UnsafePointer<CChar>?
        let count = Int(banyan_bio_memory(bio, &text))
        guard let text, count > 0 else { return [] }
        // SAFETY: the bytes belong to the BIO, which lives until the end of the function.
        let bytes = UnsafeRawBufferPointer(start: text, count: count)
        // The flags have control and non-ASCII bytes escaped; this holds it whatever OpenSSL does.
        return bytes.map { $0 >= 0x20 && $0 < 0x7F ? $0 : UInt8(ascii: "?") }
    }

    static func text(of names: [AlternativeName]) -> [UInt8] {
        var text: [UInt8] = []
        for name in names {
            if !text.isEmpty { text += Array(", ".utf8) }
            switch name.kind {
            case .dns: text += Array("DNS:".utf8)
            case .mail: text += Array("email:".utf8)
            case .uri: text += Array("URI:".utf8)
            case .address:
                text += Array("IP:".utf8)
                text += address(name.bytes)
                continue
            }
            for byte in name.bytes {
                if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: ","), byte != UInt8(ascii: "%") {
                    text.append(byte)
                } else {
                    let digits = Array("0123456789ABCDEF".utf8)
                    text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
        }
        return text
    }

    private static func address(_ bytes: [UInt8]) -> [UInt8] {
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        var buffer = ByteBuffer()
        switch bytes.count {
        case 4: buffer.append(IPAddress(ipv4: UInt32(truncatingIfNeeded: number(0..<4))))
        case 16: buffer.append(IPAddress(high: number(0..<8), low: number(8..<16)))
        default: buffer.append("invalid")
        }
        return Array(buffer.text.utf8)
    }
}
