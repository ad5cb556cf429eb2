import ByteBuffers

/// Which requests are logged: a share of those that went well, and all that did not.
package struct AccessLogSampling: Equatable, Sendable {
    private let threshold: UInt64

    /// Logs this share of the requests that went well, 0...1; values beyond are clamped.
    package init(ratio: Double) {
        if ratio >= 1 {
            threshold = .max
        } else if ratio > 0 {
            threshold = UInt64(ratio * 0x1p63) << 1
        } else {
            threshold = 0
        }
    }

    /// Whether a request with this status is logged: always unless the status is 1xx, 2xx or 3xx.
    ///
    /// - Parameter random: 64 random bits.
    package func keeps(status: UInt16, random: UInt64) -> Bool {
        !(100..<400).contains(status) || threshold == .max || random < threshold
    }
}

/// The access log of one worker: lines gather in a buffer of its own, and go to the sink many at a time.
package struct AccessLog: ~Copyable {
    /// Beyond this many bytes the lines go to the sink.
    package static let flushSize = 32_768

    /// How a line looks; ``AccessLogFormat/fields`` tells what a record has to have.
    package let format: AccessLogFormat
    private let sampling: AccessLogSampling
    private let sink: LogSink
    private var buffer = ByteBuffer()
    private var dates = DateText()

    /// A log of these lines to this sink, which workers share.
    package init(format: AccessLogFormat, sampling: AccessLogSampling, sink: LogSink) {
        self.format = format
        self.sampling = sampling
        self.sink = sink
    }

    /// Writes the line of `record`, if its status is sampled; `random` is 64 random bits. It reaches the sink with the
    /// next flush, or at once where enough has gathered. Never blocks on the output.
    package mutating func append(_ record: borrowing AccessLogRecord, random: UInt64) {
        guard sampling.keeps(status: record.status, random: random) else { return }
        format.append(record, dates: &dates, to: &buffer)
        if buffer.count >= Self.flushSize { flush() }
    }

    /// Hands what has gathered to the sink: for the worker's timer, and for its end.
    package mutating func flush() {
        if !buffer.isEmpty { sink.submit(&buffer) }
    }
}
