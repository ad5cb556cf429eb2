import ByteBuffers
import Telemetry

/// A line of the access log, from what an exchange tells to the text.
struct LogWriting: Workload, ~Copyable {
    private let format: AccessLogFormat
    private var text: [UInt8] = []
    /// Where in the text the values of fields stand.
    private var values: [(field: AccessLogField, value: ByteRange)] = []
    private let flag = (Array("use_user_service".utf8), Array("on".utf8), Array("SPLIT".utf8))
    private var record = AccessLogRecord()
    private var dates = DateText()
    private var out = ByteBuffer()

    private(set) var once: UInt64 = 0

    init(_ format: AccessLogFormat) {
        self.format = format
        let values: [(AccessLogField, String)] = [
            (.requestID, "8f14e45fceea167a5a36dedd4bea2543"), (.client, "192.0.2.7"), (.method, "GET"),
            (.host, "tasks.example.com"), (.path, "/tasks/42/details"), (.query, "expand=comments"),
            (.protocolVersion, "HTTP/1.1"), (.route, "GET /tasks/{id}/details"), (.upstream, "tasks"),
            (.upstreamAddress, "10.0.0.17:8080"),
            (.userAgent, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
            (.referer, "https://tasks.example.com/board"),
        ]
        for (field, value) in values where format.fields.contains(field) {
            self.values.append((field, ByteRange(start: text.count, count: value.utf8.count)))
            text += value.utf8
        }
    }

    mutating func check() throws(WrongResult) {
        once = run(1)
        let line = out.text
        try require(line.hasSuffix("\n") && line.contains("/tasks/42/details"), "the line is \(line)")
        try require(line.contains("2027") && line.contains("Mozilla/5.0"), "the line is \(line)")
        try require(!format.isJSON || line.contains("\"use_user_service\""), "the line has no flag: \(line)")
    }

    mutating func run(_ times: Int) -> UInt64 {
        let (text, values, flag) = (text, values, flag)
        var written: UInt64 = 0
        for _ in 0..<times {
            record.reset()
            record.time = 1_800_000_000_123_456_789
            record.traceID = (0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736)
            record.spanID = 0x00f0_67aa_0ba9_02b7
            record.traceFlags = 3
            record.status = 200
            record.bytesOut = 1024
            record.duration = 12_345_678
            record.upstreamTime = 11_234_567
            record.attempts = 1
            for index in values.indices { record.set(values[index].field, text.span.slice(values[index].value)) }
            if format.isJSON { record.addFlag(key: flag.0.span, variant: flag.1.span, reason: flag.2.span) }
            out.removeAll()
            format.append(record, dates: &dates, to: &out)
            written &+= UInt64(out.count)
        }
        return written
    }
}
