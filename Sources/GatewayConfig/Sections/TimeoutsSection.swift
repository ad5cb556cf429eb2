internal import JSON

/// `gateway.timeouts`: how long a client may take (http-behaviour.md §6). There is no `"none"`: a connection that may
/// wait for ever is one that an attacker holds for ever.
package struct TimeoutsSection: Equatable, Sendable {
    /// `head`: from the first byte of a request to the end of its head; then 408. Default: 10 s.
    package var head = Milliseconds.seconds(10)
    /// `body`: between two bytes of a request's body; then 408. Default: 30 s.
    package var body = Milliseconds.seconds(30)
    /// `idle`: how long a connection is kept without a request. Default: 75 s.
    package var idle = Milliseconds.seconds(75)
    /// `write`: how long a response may wait for a client that does not read. Default: 30 s.
    package var write = Milliseconds.seconds(30)
    /// `drain`: after SIGTERM, how long running requests may still take; `"0s"` ends them at once. Default: 30 s.
    package var drain = Milliseconds.seconds(30)

    /// `tlsHandshake`: for a whole TLS handshake, from the accept on; then the connection is closed. Default: 10 s.
    package var tlsHandshake = Milliseconds.seconds(10)

    static let keys = SectionKeys(["head", "body", "idle", "write", "drain", "tlsHandshake"])

    init() {}

    init(_ section: SectionReader) {
        section.duration("head", into: &head)
        section.duration("body", into: &body)
        section.duration("idle", into: &idle)
        section.duration("write", into: &write)
        section.duration("drain", into: &drain, allowsZero: true)
        section.duration("tlsHandshake", into: &tlsHandshake)
    }

    var effective: JSONValue {
        .section([
            ("head", .text(head)), ("body", .text(body)), ("idle", .text(idle)), ("write", .text(write)),
            ("drain", .text(drain)), ("tlsHandshake", .text(tlsHandshake)),
        ])
    }
}
