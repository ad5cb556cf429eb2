/// What the access log can say about a request; the raw text is its name in a line of JSON and in a template.
package enum AccessLogField: UInt8, CaseIterable, Sendable {
    /// When the request began: RFC 3339 in UTC, with milliseconds.
    case time
    case requestID
    /// The trace, 32 hexadecimal digits; with `span_id` and `trace_flags` the names that OpenTelemetry asks for in logs.
    case traceID
    /// The gateway's own span, 16 hexadecimal digits.
    case spanID
    /// The flags of the trace, 2 hexadecimal digits.
    case traceFlags
    /// The address of the client, the real one where a trusted proxy told it.
    case client
    case method
    /// The host that was asked for, as received.
    case host
    /// The path as received, without the query.
    case path
    /// The query as received. It may hold secrets, so that a line of JSON leaves it out.
    case query
    /// The version of HTTP, `HTTP/1.1`.
    case protocolVersion
    /// The name of the route.
    case route
    /// The status of the answer; 499 where the client left before there was one.
    case status
    /// The word for what went wrong, nothing where all went well.
    case cause
    /// The bytes of the request's body, without framing.
    case bytesIn
    /// The bytes of the answer's body, without framing.
    case bytesOut
    /// From the first byte of the request to the last of the answer, in milliseconds with three decimals.
    case duration
    /// The name of the upstream that answered.
    case upstream
    /// Its address.
    case upstreamAddress
    /// From the beginning of the last attempt to the head of its answer, in milliseconds with three decimals.
    case upstreamTime
    /// How often an upstream was asked, retries included.
    case attempts
    /// The decisions of flags.
    case flags
    /// The calls that a view was composed of.
    case parts
    /// What is worth knowing besides status and cause, each one of a closed list of words.
    case marks
    /// Where the time went; in a line of JSON only of a slow request.
    case timeSplit
    /// The share of ``TimeSplit/parse``, in milliseconds with three decimals, as all shares.
    case parseTime
    /// The share of ``TimeSplit/queue``.
    case queueTime
    /// The share of ``TimeSplit/connect``.
    case connectTime
    /// The share of ``TimeSplit/upload``.
    case uploadTime
    /// The share of ``TimeSplit/firstByte``.
    case firstByteTime
    /// The share of ``TimeSplit/body``.
    case bodyTime
    /// The share of ``TimeSplit/write``.
    case writeTime
    /// The user for whom flags were evaluated. Personal, so that only a template that names it has it.
    case user
    case userAgent
    /// The page that led here. It may hold secrets, so that a line of JSON leaves it out.
    case referer

    /// The name in a line of JSON and in a template.
    package var name: StaticString {
        switch self {
        case .time: "time"
        case .requestID: "request_id"
        case .traceID: "trace_id"
        case .spanID: "span_id"
        case .traceFlags: "trace_flags"
        case .client: "client"
        case .method: "method"
        case .host: "host"
        case .path: "path"
        case .query: "query"
        case .protocolVersion: "protocol"
        case .route: "route"
        case .status: "status"
        case .cause: "cause"
        case .bytesIn: "bytes_in"
        case .bytesOut: "bytes_out"
        case .duration: "duration_ms"
        case .upstream: "upstream"
        case .upstreamAddress: "upstream_address"
        case .upstreamTime: "upstream_time_ms"
        case .attempts: "attempts"
        case .flags: "flags"
        case .parts: "parts"
        case .marks: "marks"
        case .timeSplit: "time_split_ms"
        case .parseTime: "parse_ms"
        case .queueTime: "queue_ms"
        case .connectTime: "connect_ms"
        case .uploadTime: "upload_ms"
        case .firstByteTime: "first_byte_ms"
        case .bodyTime: "body_ms"
        case .writeTime: "write_ms"
        case .user: "user"
        case .userAgent: "user_agent"
        case .referer: "referer"
        }
    }

    /// The fields of a line of JSON, in their order.
    static let json: [AccessLogField] = [
        .time, .requestID, .traceID, .spanID, .traceFlags, .client, .method, .host, .path, .protocolVersion, .route,
        .status, .cause, .bytesIn, .bytesOut, .duration, .upstream, .upstreamAddress, .upstreamTime, .attempts, .flags,
        .parts, .marks, .timeSplit, .userAgent,
    ]

    /// The fields of a line in the combined format.
    static let combined: [AccessLogField] = [
        .client, .time, .method, .path, .query, .protocolVersion, .status, .bytesOut, .referer, .userAgent,
    ]
}

/// A set of fields: what a format writes, so that a record need not take up what nobody reads.
package struct AccessLogFieldSet: Equatable, Sendable {
    private var bits: UInt64 = 0

    /// The set of these fields.
    package init(_ fields: [AccessLogField] = []) {
        for field in fields { insert(field) }
    }

    /// Adds a field.
    package mutating func insert(_ field: AccessLogField) { bits |= 1 << UInt64(field.rawValue) }

    /// Whether a field is in it.
    package func contains(_ field: AccessLogField) -> Bool { bits & 1 << UInt64(field.rawValue) != 0 }

    /// Whether a field is in it that tells where time went.
    var tellsTimeSplit: Bool { bits & Self.timeSplit.bits != 0 }

    private static let timeSplit = AccessLogFieldSet(TimeSplit.shares + [.timeSplit])

    /// Takes all fields away.
    mutating func removeAll() { bits = 0 }
}
