internal import JSON

/// `gateway.limits`: how much a client may ask for (http-behaviour.md §6). Beyond a limit the client gets the status
/// that is named here; nothing is dropped without an answer.
package struct LimitsSection: Equatable, Sendable {
    /// `head`: bytes of request line and fields together, 1 KiB to 1 MiB; beyond it 431. Default: 32 KiB.
    package var head = ByteSize.kibibytes(32)
    /// `fields`: number of header fields, 1 to 10 000; beyond it 431. Default: 100.
    package var fields = 100
    /// `target`: bytes of the request target, 64 B to 1 MiB; beyond it 414. Default: 8 KiB. A target is part of the
    /// head, so a `target` above `head` is never reached.
    package var target = ByteSize.kibibytes(8)
    /// `body`: bytes of a request's body, or `"unlimited"`; beyond it 413. Default: 10 MiB. A route's `maxBody` wins.
    package var body = SizeLimit.atMost(.mebibytes(10))
    /// `connections`: open client connections of one worker, 1 to 1 048 576; at the bound whoever only waits gives
    /// way, and where all are at work accepting pauses. Default: 16 384.
    package var connections = 16_384
    /// `connectionsPerAddress`: open connections from one client address in one worker, 1 to 1 048 576, or
    /// `"unlimited"`, which is nil and the default: behind a load balancer all clients share its address.
    package var connectionsPerAddress: Int?
    /// `requestsPerConnection`: requests after which a connection is closed, 1 to 4 294 967 295, so that clients are
    /// spread anew now and then. Default: 10 000.
    package var requestsPerConnection = 10_000

    /// `streams`: requests that an HTTP/2 connection may have in work at once, 1 to 10 000; more are refused in a way
    /// that lets clients repeat them. Default: 128.
    package var streams = 128
    /// `handshakes`: TLS handshakes in progress of one worker, 1 to 1 048 576; one more ends the oldest. Default: 1024.
    package var handshakes = 1024

    static let keys = SectionKeys([
        "head", "fields", "target", "body", "connections", "connectionsPerAddress", "requestsPerConnection", "streams",
        "handshakes",
    ])

    init() {}

    init(_ section: SectionReader) {
        section.size("head", into: &head, from: .kibibytes(1), to: .mebibytes(1))
        section.integer("fields", into: &fields, 1...10_000)
        section.size("target", into: &target, from: ByteSize(64), to: .mebibytes(1))
        section.sizeLimit("body", into: &body)
        section.integer("connections", into: &connections, 1...1_048_576)
        connectionsPerAddress = section.integerOrUnlimited("connectionsPerAddress", 1...1_048_576)
        section.integer("requestsPerConnection", into: &requestsPerConnection, 1...4_294_967_295)
        section.integer("streams", into: &streams, 1...10_000)
        section.integer("handshakes", into: &handshakes, 1...1_048_576)
        if target > head, section.has("target") {
            section.session.warn(
                section.pointer.appending("target"), "never reached: the whole head is at most \(head)")
        }
    }

    var effective: JSONValue {
        .section([
            ("head", .text(head)),
            ("fields", .number(fields)),
            ("target", .text(target)),
            ("body", .text(body)),
            ("connections", .number(connections)),
            ("connectionsPerAddress", connectionsPerAddress.map { .number($0) } ?? .string("unlimited")),
            ("requestsPerConnection", .number(requestsPerConnection)),
            ("streams", .number(streams)),
            ("handshakes", .number(handshakes)),
        ])
    }
}
