import ByteBuffers
import Foundation
import Testing

struct CivilTimeTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var seconds: Int64
        var http: String
        var rfc3339: String
        var log: String
        var testDescription: String { rfc3339 }
    }

    static let cases = [
        // RFC 9110 §5.6.7 gives this one as its example.
        Case(
            seconds: 784_111_777, http: "Sun, 06 Nov 1994 08:49:37 GMT", rfc3339: "1994-11-06T08:49:37",
            log: "06/Nov/1994:08:49:37 +0000"),
        Case(
            seconds: 0, http: "Thu, 01 Jan 1970 00:00:00 GMT", rfc3339: "1970-01-01T00:00:00",
            log: "01/Jan/1970:00:00:00 +0000"),
        Case(
            seconds: -1, http: "Wed, 31 Dec 1969 23:59:59 GMT", rfc3339: "1969-12-31T23:59:59",
            log: "31/Dec/1969:23:59:59 +0000"),
        // A leap day of a century that is a leap year, and the end of one that is not.
        Case(
            seconds: 951_782_400, http: "Tue, 29 Feb 2000 00:00:00 GMT", rfc3339: "2000-02-29T00:00:00",
            log: "29/Feb/2000:00:00:00 +0000"),
        Case(
            seconds: 4_107_542_400, http: "Mon, 01 Mar 2100 00:00:00 GMT", rfc3339: "2100-03-01T00:00:00",
            log: "01/Mar/2100:00:00:00 +0000"),
        Case(
            seconds: .max, http: "Fri, 31 Dec 9999 23:59:59 GMT", rfc3339: "9999-12-31T23:59:59",
            log: "31/Dec/9999:23:59:59 +0000"),
        Case(
            seconds: .min, http: "Sat, 01 Jan 0000 00:00:00 GMT", rfc3339: "0000-01-01T00:00:00",
            log: "01/Jan/0000:00:00:00 +0000"),
    ]

    @Test(arguments: cases)
    func formats(_ example: Case) {
        let time = CivilTime(secondsSince1970: example.seconds)
        var buffer = ByteBuffer()
        buffer.appendHTTPDate(time)
        #expect(buffer.text == example.http)
        buffer.removeAll()
        buffer.appendRFC3339Seconds(time)
        #expect(buffer.text == example.rfc3339)
        buffer.removeAll()
        buffer.appendLogDate(time)
        #expect(buffer.text == example.log)
    }

    @Test("agrees with Foundation's calendar on every day of 800 years")
    func everyDay() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        var seconds: Int64 = -5_000_000_000
        var differences = 0
        while seconds < 20_000_000_000 {
            let time = CivilTime(secondsSince1970: seconds)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second, .weekday],
                from: Date(timeIntervalSince1970: TimeInterval(seconds)))
            if time.year != parts.year || time.month != parts.month || time.day != parts.day
                || time.hour != parts.hour || time.minute != parts.minute || time.second != parts.second
                || time.weekday + 1 != parts.weekday
            {
                differences += 1
            }
            seconds += 86_399
        }
        #expect(differences == 0)
    }

    @Test("the cache follows the second in both directions")
    func cache() {
        var dates = DateText()
        var buffer = ByteBuffer()
        for (nanoseconds, expected) in [
            (784_111_777_042_999_999, "1994-11-06T08:49:37.042Z"),
            (784_111_777_999_999_999, "1994-11-06T08:49:37.999Z"),
            (784_111_778_000_000_000, "1994-11-06T08:49:38.000Z"),
            (784_111_777_000_000_000, "1994-11-06T08:49:37.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (-1_000_000_000, "1969-12-31T23:59:59.000Z"),
        ] as [(Int64, String)] {
            buffer.removeAll()
            dates.appendTimestamp(nanoseconds: nanoseconds, to: &buffer)
            #expect(buffer.text == expected)
        }
        buffer.removeAll()
        dates.appendHTTPDate(second: 784_111_777, to: &buffer)
        #expect(buffer.text == "Sun, 06 Nov 1994 08:49:37 GMT")
        buffer.removeAll()
        dates.appendLogDate(second: 784_111_778, to: &buffer)
        #expect(buffer.text == "06/Nov/1994:08:49:38 +0000")
    }
}
