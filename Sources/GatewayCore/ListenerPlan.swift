import ByteBuffers
import DistributedTracing
import GatewayConfig
import HTTPListener

/// What a listener does with those who connect to it, compiled. Workers find it by the number of their socket.
struct ListenerPlan: Sendable {
    /// The address as it is configured: what a plan is found by again after a reload, whatever its place.
    let address: ListenAddress
    let edge: EdgePolicy
    let protocols: SpokenProtocols
    /// Whether trusted peers announce their clients by the PROXY protocol.
    let announcesClients: Bool
    /// What encrypts it; nil for HTTP in clear.
    let secure: TLSContext?
    let certificateFields: ClientCertificateFields

    /// The plan of `section`, encrypted by `secure`.
    init(_ section: ListenerSection, secure: TLSContext?) {
        address = section.address
        edge = section.edge == .continue ? .continue : .restart
        protocols = SpokenProtocols(section.protocols)
        announcesClients = section.proxyProtocol
        self.secure = secure
        certificateFields = ClientCertificateFields(section.tls?.clientCertificateHeaders)
    }
}

/// The fields by which upstreams are told who a client has proved to be.
struct ClientCertificateFields: Sendable {
    private let subject: [UInt8]
    private let san: [UInt8]
    private let fingerprint: [UInt8]
    /// Their names: no client may send them itself.
    let names: [String]

    init(_ headers: ListenerTLSSection.Headers?) {
        func beginning(_ name: String?) -> [UInt8] { name.map { Array("\($0): ".utf8) } ?? [] }
        subject = beginning(headers?.subject)
        san = beginning(headers?.san)
        fingerprint = beginning(headers?.fingerprint)
        names = headers?.names ?? []
    }

    /// Appends a line for each of them that has a name and a value.
    func append(_ certificate: ClientCertificate, to buffer: inout ByteBuffer) {
        Self.append(subject, certificate.subject, to: &buffer)
        Self.append(san, certificate.names, to: &buffer)
        Self.append(fingerprint, certificate.fingerprint, to: &buffer)
    }

    private static func append(_ beginning: [UInt8], _ value: [UInt8], to buffer: inout ByteBuffer) {
        if beginning.isEmpty || value.isEmpty { return }
        buffer.append(beginning)
        buffer.append(value)
        buffer.append("\r\n")
    }
}
