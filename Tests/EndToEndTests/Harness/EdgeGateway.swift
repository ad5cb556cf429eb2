import Foundation
import Testing

/// The ways in which a client can be connected.
enum ConnectionKind: String, CaseIterable, CustomTestStringConvertible {
    case http1 = "HTTP/1.1 in clear"
    case http2 = "HTTP/2 in clear"
    case secureHTTP1 = "HTTP/1.1 over TLS"
    case secureHTTP2 = "HTTP/2 over TLS"

    static let allHTTP1: [ConnectionKind] = [.http1, .secureHTTP1]
    static let allHTTP2: [ConnectionKind] = [.http2, .secureHTTP2]

    var isHTTP2: Bool { self == .http2 || self == .secureHTTP2 }
    var isSecure: Bool { self == .secureHTTP1 || self == .secureHTTP2 }
    var testDescription: String { rawValue }
}

/// A gateway that is reached in each of the four ways.
final class EdgeGateway {
    let gateway: GatewayProcess

    var process: RunningProcess { gateway.process }

    /// Starts it with a listener in clear and one with TLS.
    init(_ setup: GatewaySetup, workers: Int = 1) throws {
        let folder = try TemporaryFolder()
        let pair = try Self.pair.get()
        try folder.write("site.crt", pair.certificate)
        try folder.write("site.key", pair.key)
        var setup = setup
        setup.listeners = [
            #"{"address": "127.0.0.1:0"}"#,
            """
            {"address": "127.0.0.1:0", \
            "tls": {"certificate": "\(folder.file("site.crt"))", "key": "\(folder.file("site.key"))"}}
            """,
        ]
        gateway = try GatewayProcess(setup, workers: workers, folder: folder)
    }

    /// Certificate and key, made once for all tests.
    private static let pair = Result {
        let certificates = try CertificateFolder()
        try certificates.make("site")
        return (
            certificate: try String(contentsOfFile: certificates.file("site.crt"), encoding: .utf8),
            key: try String(contentsOfFile: certificates.file("site.key"), encoding: .utf8)
        )
    }

    /// Where connections of this kind go.
    func place(_ kind: ConnectionKind) -> SocketPlace { gateway.places[kind.isSecure ? 1 : 0] }

    /// A connection on which nothing of HTTP has been said; its TLS is there where the kind has it.
    ///
    /// - Parameter receiveBuffer: how many bytes the system holds for a client that does not read; its default if nil.
    func wire(_ kind: ConnectionKind, receiveBuffer: CInt? = nil) throws -> Wire {
        let wire = Wire(adopting: try place(kind).connect(receiveBuffer: receiveBuffer))
        if kind.isSecure { try wire.encrypt(offering: [kind.isHTTP2 ? "h2" : "http/1.1"]) }
        return wire
    }

    /// A client with a connection of its own.
    func client(_ kind: ConnectionKind, receiveBuffer: CInt? = nil) throws -> EdgeClient {
        try EdgeClient(kind, on: try wire(kind, receiveBuffer: receiveBuffer))
    }

    /// One request on a connection of its own.
    func exchange(_ kind: ConnectionKind, _ request: EdgeRequest) throws -> EdgeOutcome {
        try client(kind).exchange(request)
    }
}
