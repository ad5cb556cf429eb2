import COpenSSL
import EventLoops
import Foundation
import Testing

@testable import HTTPListener

/// A client's end of TLS whose bytes the test moves: whole, in pieces, or one at a time.
final class TLSClient {
    let raw: Client
    private let bench: ListenerBench
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private(set) var plain: [UInt8] = []
    /// The bytes of each record that has come since the handshake.
    private(set) var records: [Int] = []
    private var unread: [UInt8] = []
    private var taken = 0

    init(_ bench: ListenerBench) throws {
        self.bench = bench
        raw = try bench.client()
        let context = try #require(SSL_CTX_new(TLS_client_method()))
        defer { SSL_CTX_free(context) }
        ssl = try #require(SSL_new(context))
        incoming = try #require(BIO_new(BIO_s_mem()))
        outgoing = try #require(BIO_new(BIO_s_mem()))
        // Without this an empty memory would look like the end of the connection.
        BIO_ctrl(incoming, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
    }

    deinit { SSL_free(ssl) }

    /// What OpenSSL wants to send.
    func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(outgoing))
        let count = BIO_read(outgoing, &bytes, CInt(bytes.count))
        return Array(bytes.prefix(max(Int(count), 0)))
    }

    /// Gives OpenSSL what has come, and reads what it makes of it.
    private func takeInput() {
        raw.read()
        let fresh = Array(raw.received[taken...])
        taken = raw.received.count
        if !fresh.isEmpty { _ = BIO_write(incoming, fresh, CInt(fresh.count)) }
        guard SSL_is_init_finished(ssl) == 1 else { return }
        count(fresh)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = SSL_read(ssl, &buffer, CInt(buffer.count))
            if count <= 0 { break }
            plain += buffer[..<Int(count)]
        }
        ERR_clear_error()
    }

    private func count(_ bytes: [UInt8]) {
        unread += bytes
        while unread.count >= 5 {
            let length = 5 + Int(unread[3]) << 8 + Int(unread[4])
            if unread.count < length { return }
            records.append(length - 5)
            unread.removeFirst(length)
        }
    }

    /// Does the handshake; `send` moves each of its flights.
    func shakeHands(_ send: ((Client, [UInt8]) -> Void)? = nil) -> Bool {
        bench.drive {
            let status = SSL_do_handshake(ssl)
            let flight = takeOutput()
            if let send { send(raw, flight) } else { raw.send(flight) }
            takeInput()
            return status == 1 || raw.ending != nil
        } && SSL_is_init_finished(ssl) == 1
    }

    /// The records of `text`.
    func seal(_ text: String) -> [UInt8] { seal(Array(text.utf8)) }

    func seal(_ bytes: [UInt8]) -> [UInt8] {
        _ = SSL_write(ssl, bytes, CInt(bytes.count))
        return takeOutput()
    }

    func send(_ text: String) { raw.send(seal(text)) }

    /// The record that asks for new keys (RFC 8446 §4.6.3).
    func sealKeyUpdate() -> [UInt8] {
        SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
        SSL_do_handshake(ssl)
        return takeOutput()
    }

    func forgetRecords() { records.removeAll() }

    /// The record that says that nothing more comes.
    func sealGoodbye() -> [UInt8] {
        SSL_shutdown(ssl)
        return takeOutput()
    }

    var text: String { String(decoding: plain, as: UTF8.self) }

    /// Reads until so many bytes are there.
    func receives(bytes: Int) -> Bool {
        bench.drive {
            takeInput()
            return plain.count >= bytes || raw.ending != nil
        } && plain.count >= bytes
    }

    func receives(_ part: String, times: Int = 1) -> Bool {
        bench.drive {
            takeInput()
            return text.components(separatedBy: part).count > times || raw.ending != nil
        } && text.components(separatedBy: part).count > times
    }

    /// Reads to the end of the connection; whether the server said that it ends (RFC 8446 §6.1).
    func readToGoodbye() -> Bool {
        _ = bench.drive {
            takeInput()
            return raw.ending != nil
        }
        return SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0
    }
}

/// A certificate for localhost, made by the openssl command once for all tests.
enum TestCertificate {
    static let isPossible = access("/usr/bin/openssl", X_OK) == 0

    static let settings: Result<TLSSettings, any Error> = Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "banyan-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-days", "2", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder.appending(path: "key").path,
            "-out", folder.appending(path: "crt").path,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return TLSSettings(certificates: [
            TLSSettings.Certificate(
                certificate: Array(try Data(contentsOf: folder.appending(path: "crt"))),
                key: Array(try Data(contentsOf: folder.appending(path: "key"))))
        ])
    }
}

extension ListenerBench {
    /// Has the bench's listener speak TLS.
    func encrypt(_ change: (inout TLSSettings) -> Void = { _ in }) throws {
        var settings = try TestCertificate.settings.get()
        change(&settings)
        let tickets = try #require(TLSTicketKeys())
        server.contexts = Array(repeating: nil, count: 7) + [try TLSContext(settings, tickets: tickets, now: 0)]
    }
}
