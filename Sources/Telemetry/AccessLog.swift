package import ByteBuffers

/// Which requests are logged: a share of those that went well, and all that did not or took long.
package struct AccessLogSampling: Equatable, Sendable {
    private let threshold: UInt64
    private let slow: UInt64

    /// Logs this share of the requests that went well, 0...1; values beyond are clamped. One that takes longer than
    /// `slow` nanoseconds is always logged; nil finds nothing slow.
    package init(ratio: Double, slow: UInt64? = nil) {
        self.slow = slow ?? .max
        if ratio >= 1 {
            threshold = .max
        } else if ratio > 0 {
            threshold = UInt64(ratio * 0x1p63) << 1
        } else {
            threshold = 0
        }
    }

    /// Whether a request that took so many nanoseconds is slow.
    package func isSlow(_ duration: UInt64) -> Bool { duration > slow }

    /// Whether every request is logged, so that nobody needs random bits.
    package var keepsAll: Bool { threshold == .max }

    /// Whether a request is logged: always unless its status is 1xx, 2xx or 3xx, and it neither failed (has a cause) nor
    /// was slow nor a view without a part.
    ///
    /// - Parameter random: 64 random bits; none are needed where ``keepsAll``.
    package func keeps(status: UInt16, hasCause: Bool, marks: AccessLogMarks, random: UInt64) -> Bool {
        keeps(status: status, random: random) || hasCause || marks.contains(.slow) || marks.contains(.partial)
    }

    /// Whether a request with this status is logged, as far as the status says.
    func keeps(status: UInt16, random: UInt64) -> Bool {
        !(100..<400).contains(status) || threshold == .max || random < threshold
    }
}

/// The access log of one worker: lines gather in a buffer of its own, and go to the sink many at a time.
package struct AccessLog: ~Copyable {
    /// Beyond this many bytes the lines go to the sink: with one more line they fit the memory that it keeps.
    package static let flushSize = LogSink.keptMemory - 16_384

    /// How a line looks; ``AccessLogFormat/fields`` tells what a record has to have.
    package let format: AccessLogFormat
    /// What is logged, and what is slow.
    package let sampling: AccessLogSampling
    private let sink: LogSink
    // As large as it will be: memory that is not used is none, and growing would be work while requests come.
    private var buffer = ByteBuffer(capacity: LogSink.keptMemory)
    private var lines = 0
    private var dates = DateText()

    /// A log of these lines to this sink, which workers share.
    package init(format: AccessLogFormat, sampling: AccessLogSampling, sink: LogSink) {
        self.format = format
        self.sampling = sampling
        self.sink = sink
    }

    /// Writes the line of `record`, whatever ``sampling`` says. It reaches the sink with the next flush, or at once where
    /// enough has gathered. Never blocks on the output.
    package mutating func append(_ record: borrowing AccessLogRecord) {
        format.append(record, dates: &dates, to: &buffer)
        lines += 1
        if buffer.count >= Self.flushSize { flush() }
    }

    /// Writes a line of JSON (``AccessLogFormat/isJSON``) in the same way, whose texts need not stand in `record`: `text`
    /// appends those of a group, each with a comma, its name and its value, a JSON string or null.
    package mutating func appendJSON(
        _ record: borrowing AccessLogRecord, _ text: (_ group: LogTextGroup, _ line: inout ByteBuffer) -> Void
    ) {
        buffer.appendJSONLine(record, dates: &dates, text)
        buffer.append(UInt8(ascii: "\n"))
        lines += 1
        if buffer.count >= Self.flushSize { flush() }
    }

    /// Hands what has gathered to the sink: for the worker's timer, and for its end.
    package mutating func flush() {
        if lines > 0 { sink.submit(&buffer, lines: lines) }
        lines = 0
    }
}
