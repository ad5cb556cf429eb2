import ByteBuffers

/// Where the time of a request went, in nanoseconds. What its shares leave of its duration is the gateway's own work.
package struct TimeSplit: Equatable, Sendable {
    /// From the first byte of the request to its head being complete.
    package var parse: UInt64 = 0
    /// Waiting for a place at the upstream, or for a connection that others were using.
    package var queue: UInt64 = 0
    /// Opening a connection: name, TCP, TLS; nothing where one from the pool was used.
    package var connect: UInt64 = 0
    /// From the head of the request being sent on, or from its being whole where a short body is awaited before that, to
    /// the last byte of its body.
    package var upload: UInt64 = 0
    /// From the whole request being sent on to the head of the answer.
    package var firstByte: UInt64 = 0
    /// From the head of the answer to the last byte that the upstream sent, without the time for which it was not read
    /// because the client was slow.
    package var body: UInt64 = 0
    /// That time, and from the last byte to the client having taken all.
    package var write: UInt64 = 0

    /// A split of no time.
    package init() {}

    /// The shares in their order, each as a field of the log.
    static let shares: [AccessLogField] = [
        .parseTime, .queueTime, .connectTime, .uploadTime, .firstByteTime, .bodyTime, .writeTime,
    ]

    /// The share that a field tells; nil for the fields that tell something else.
    subscript(field: AccessLogField) -> UInt64? {
        switch field {
        case .parseTime: parse
        case .queueTime: queue
        case .connectTime: connect
        case .uploadTime: upload
        case .firstByteTime: firstByte
        case .bodyTime: body
        case .writeTime: write
        default: nil
        }
    }

    /// What a share is called inside of `time_split_ms`.
    static func word(_ field: AccessLogField) -> StaticString {
        switch field {
        case .parseTime: "parse"
        case .queueTime: "queue"
        case .connectTime: "connect"
        case .uploadTime: "upload"
        case .firstByteTime: "first_byte"
        case .bodyTime: "body"
        default: "write"
        }
    }
}

extension ByteBuffer {
    /// Appends the split as the members of a JSON object, with its braces.
    mutating func appendJSONSplit(_ split: TimeSplit) {
        append("{")
        for index in TimeSplit.shares.indices {
            let field = TimeSplit.shares[index]
            append(index > 0 ? ",\"" : "\"")
            append(TimeSplit.word(field))
            append("\":")
            appendMilliseconds(split[field] ?? 0)
        }
        append("}")
    }

    /// Appends the split as a template has it: `parse=0.012,queue=0.000,…`.
    mutating func appendPlainSplit(_ split: TimeSplit) {
        for index in TimeSplit.shares.indices {
            let field = TimeSplit.shares[index]
            if index > 0 { append(",") }
            append(TimeSplit.word(field))
            append("=")
            appendMilliseconds(split[field] ?? 0)
        }
    }
}
