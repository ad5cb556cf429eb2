/// The 16 bytes that all spans of one trace bear.
struct TraceIdentifier: Equatable, Sendable {
    var high: UInt64
    /// Of these 8 bytes the last 7 are random (W3C Trace Context, level 2), so that a share of traces can be taken by them.
    var low: UInt64

    /// 32 lower-case hexadecimal digits.
    var text: String { high.sixteenDigits + low.sixteenDigits }
}

extension UInt64 {
    /// 16 lower-case hexadecimal digits, as the id of a span is written.
    var sixteenDigits: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
