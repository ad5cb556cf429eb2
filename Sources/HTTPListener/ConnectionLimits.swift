package import HTTPMessage

/// What one downstream connection may cost, in bytes, messages and time (all times in milliseconds).
package struct ConnectionLimits: Sendable {
    /// Bounds of a request's head.
    package var head = HeadLimits()
    /// Connections of one worker. At the bound those give way to newcomers that have waited longest for a request; where
    /// all are at work it stops accepting, and the others wait in the system's queue.
    package var connections = 16_384
    /// How long a connection may wait for a request before it gives way.
    package var givesWayAfter: UInt64 = 1_000
    /// Connections of one client address in one worker; nil means no bound. One more is closed at once.
    package var connectionsPerAddress: Int?
    /// Requests that one connection may carry; the last one's answer says `Connection: close`.
    package var requestsPerConnection = 10_000
    /// Requests that one HTTP/2 connection may have in work at once.
    package var streams = 128
    /// TLS handshakes in progress in one worker; one more makes the oldest of them end.
    package var handshakes = 1024
    /// Time for a whole TLS handshake.
    package var handshakeTimeout: UInt64 = 10_000
    /// Time for a whole head, from its first byte (from the accept for the first one).
    package var headTimeout: UInt64 = 10_000
    /// Time between two pieces of a body.
    package var bodyTimeout: UInt64 = 30_000
    /// Time between two requests.
    package var idleTimeout: UInt64 = 75_000
    /// Time without a byte of the answer taken by the client.
    package var writeTimeout: UInt64 = 30_000

    /// Output held for one client above which its source is told to pause, in bytes.
    package static let highWater = 65_536
    /// Output below which the source may go on, in bytes.
    package static let lowWater = 16_384
    /// How long a connection that was refused is read and thrown away, so that the refusal reaches its client.
    package static let lingerTime: UInt64 = 5_000
    /// Bytes of requests that wait behind the present one; beyond them the client is not read any more.
    package static let pipelineBytes = 65_536
    /// Output that an HTTP/2 connection gathers for one call to the system, in bytes.
    static let gatherBytes = 65_536
    /// Bytes of bodies that an HTTP/2 client may have under way in one stream, and in all streams of a connection.
    static let streamWindow: UInt32 = 65_536
    static let connectionWindow: Int32 = 1_048_576
    /// An HTTP/2 connection that has been idle for so long gives back what its streams have used.
    static let restTime: UInt64 = 1_000
    /// During a drain, a connection that has been silent for so long is closed; until then it may begin one more request.
    package static let drainIdleTime: UInt64 = 1_000

    /// The defaults.
    package init() {}
}
