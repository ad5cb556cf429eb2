import Testing

@testable import DistributedTracing

/// What becomes of a batch after an attempt to export it (OTLP specification §OTLP/HTTP Response, §Failures).
@Suite struct ExportRetryTests {
    @Test(arguments: [200, 202, 204, 299] as [UInt16])
    func successIsSuccess(status: UInt16) {
        var retry = ExportRetry(until: 30_000)
        #expect(retry.decide(.answered(status: status, retryAfter: nil), at: 0, random: 0) == .exported)
    }

    @Test(arguments: [100, 301, 400, 401, 404, 413, 500, 501, 505, 599] as [UInt16])
    func otherAnswersAreFinal(status: UInt16) {
        var retry = ExportRetry(until: 30_000)
        #expect(retry.decide(.answered(status: status, retryAfter: 1_000), at: 0, random: 0) == .refused)
    }

    @Test(arguments: [429, 502, 503, 504] as [UInt16])
    func whatMayBeTriedAgainIs(status: UInt16) {
        var retry = ExportRetry(until: 30_000)
        #expect(retry.decide(.answered(status: status, retryAfter: 2_500), at: 0, random: 0) == .retry(after: 2_500))
        #expect(retry.decide(.answered(status: status, retryAfter: 40_000), at: 0, random: 0) == .givenUp)
    }

    /// Twice as long each time, never more than 30 s, within a quarter; then the time is over.
    @Test func pausesGrow() {
        for random in [0, 1, 12_345, .max] as [UInt64] {
            var retry = ExportRetry(until: 1_000_000)
            var waits: [UInt64] = []
            for _ in 0..<8 {
                if case .retry(let wait) = retry.decide(.unreachable, at: 0, random: random) { waits.append(wait) }
            }
            let bases: [UInt64] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
            #expect(waits.count == bases.count)
            for (wait, base) in zip(waits, bases) { #expect(wait >= base * 3 / 4 && wait <= base * 5 / 4, "\(waits)") }
        }
        var late = ExportRetry(until: 30_000)
        #expect(late.decide(.unreachable, at: 29_500, random: 0) == .givenUp)
        var endless = ExportRetry(until: .max)
        #expect(endless.decide(.unreachable, at: .max - 1, random: 0) == .givenUp)
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1_000), ("120", 120_000), ("Sun, 06 Nov 1994 08:49:40 GMT", 3_000),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0), ("Sun, 06 Nov 1994 08:00:00 GMT", 0), ("", nil), ("-1", nil),
            ("1.5", nil), ("soon", nil), ("1 ", nil), ("99999999999999999999", nil), ("06 Nov 1994", nil),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil),
        ] as [(String, UInt64?)])
    func retryAfterIsSecondsOrADate(text: String, expected: UInt64?) {
        // 6 November 1994, 08:49:37 UTC.
        #expect(ExportRetry.wait(forField: Array(text.utf8).span, now: 784_111_777) == expected, "\(text)")
    }

    @Test(
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Fri, 31 Dec 2027 23:59:59 GMT", 1_830_297_599), ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1), ("Thu, 01 Foo 1970 00:00:00 GMT", nil),
            ("Thu, 00 Jan 1970 00:00:00 GMT", nil), ("Thu, 01 Jan 1970 24:00:00 GMT", nil),
            ("Thu, 01 Jan 1970 00:00:00 UTC", nil),
        ] as [(String, Int64?)])
    func datesAreThoseOfTheCalendar(text: String, expected: Int64?) {
        #expect(HTTPDate.seconds(parsing: Array(text.utf8).span) == expected, "\(text)")
    }
}
