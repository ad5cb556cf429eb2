/// A moment in the proleptic Gregorian calendar, in UTC, to the second.
///
/// Pure arithmetic on the number of days, so that no worker takes the C library's time-zone lock to write a date.
public struct CivilTime: Equatable, Sendable {
    /// The year, 0...9999.
    public var year: Int
    /// The month, 1...12.
    public var month: Int
    /// The day of the month, 1...31.
    public var day: Int
    /// The hour, 0...23.
    public var hour: Int
    /// The minute, 0...59.
    public var minute: Int
    /// The second, 0...59: Unix time has no leap seconds.
    public var second: Int
    /// The day of the week, 0 for Sunday to 6 for Saturday.
    public var weekday: Int

    /// The moment `seconds` after 1970-01-01T00:00:00Z, clamped to the years 0 to 9999, which have four digits.
    public init(secondsSince1970 seconds: Int64) {
        let clamped = Swift.min(Swift.max(seconds, -62_167_219_200), 253_402_300_799)
        let secondsOfDay = Int(((clamped % 86_400) + 86_400) % 86_400)
        let days = Int((clamped - Int64(secondsOfDay)) / 86_400)
        hour = secondsOfDay / 3_600
        minute = secondsOfDay / 60 % 60
        second = secondsOfDay % 60
        weekday = ((days + 4) % 7 + 7) % 7

        // Years counted from March put the leap day last, so that months have a regular pattern of lengths. Days are
        // counted from 0000-03-01 less one cycle of 400 years, which makes every value here positive.
        let shifted = days + 719_468 + 146_097
        let cycle = shifted / 146_097
        let dayOfCycle = shifted % 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfCycle + (cycle - 1) * 400 + (month <= 2 ? 1 : 0)
    }
}

extension ByteBuffer {
    /// Appends `time` as IMF-fixdate, the one form of a date that HTTP generates (RFC 9110 §5.6.7): 29 bytes.
    public mutating func appendHTTPDate(_ time: CivilTime) {
        switch time.weekday {
        case 0: append("Sun, ")
        case 1: append("Mon, ")
        case 2: append("Tue, ")
        case 3: append("Wed, ")
        case 4: append("Thu, ")
        case 5: append("Fri, ")
        default: append("Sat, ")
        }
        appendDigits(time.day, count: 2)
        append(" ")
        appendMonthName(time.month)
        append(" ")
        appendDigits(time.year, count: 4)
        append(" ")
        appendClock(time)
        append(" GMT")
    }

    /// Appends `time` as the date of a web server's log, `10/Oct/2000:13:55:36 +0000`: 26 bytes.
    public mutating func appendLogDate(_ time: CivilTime) {
        appendDigits(time.day, count: 2)
        append("/")
        appendMonthName(time.month)
        append("/")
        appendDigits(time.year, count: 4)
        append(":")
        appendClock(time)
        append(" +0000")
    }

    /// Appends `time` as RFC 3339 §5.6 has it, up to the second and without the zone: `2000-10-10T13:55:36`, 19 bytes.
    public mutating func appendRFC3339Seconds(_ time: CivilTime) {
        appendDigits(time.year, count: 4)
        append("-")
        appendDigits(time.month, count: 2)
        append("-")
        appendDigits(time.day, count: 2)
        append("T")
        appendClock(time)
    }

    /// Appends the low `count` decimal digits of a number that is not negative, with leading zeros.
    @usableFromInline
    mutating func appendDigits(_ value: Int, count: Int) {
        var divisor = 1
        for _ in 1..<Swift.max(count, 1) { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(truncatingIfNeeded: value / divisor % 10) &+ UInt8(ascii: "0"))
            divisor /= 10
        }
    }

    private mutating func appendClock(_ time: CivilTime) {
        appendDigits(time.hour, count: 2)
        append(":")
        appendDigits(time.minute, count: 2)
        append(":")
        appendDigits(time.second, count: 2)
    }

    private mutating func appendMonthName(_ month: Int) {
        switch month {
        case 1: append("Jan")
        case 2: append("Feb")
        case 3: append("Mar")
        case 4: append("Apr")
        case 5: append("May")
        case 6: append("Jun")
        case 7: append("Jul")
        case 8: append("Aug")
        case 9: append("Sep")
        case 10: append("Oct")
        case 11: append("Nov")
        default: append("Dec")
        }
    }
}

/// The text of dates, made once a second and copied from then on. Each worker has its own.
public struct DateText: ~Copyable {
    private var second: Int64 = .min
    private var text = ByteBuffer()

    private static let httpDate = ByteRange(start: 0, count: 29)
    private static let logDate = ByteRange(start: 29, count: 26)
    private static let rfc3339 = ByteRange(start: 55, count: 19)

    /// A cache that holds no date yet.
    public init() {}

    /// Appends the HTTP date (RFC 9110 §5.6.7) of `second`, counted from 1970 in UTC, to `buffer`.
    public mutating func appendHTTPDate(second: Int64, to buffer: inout ByteBuffer) {
        prepare(second)
        buffer.append(text.span(Self.httpDate))
    }

    /// Appends the date of a web server's log of `second`, counted from 1970 in UTC, to `buffer`.
    public mutating func appendLogDate(second: Int64, to buffer: inout ByteBuffer) {
        prepare(second)
        buffer.append(text.span(Self.logDate))
    }

    /// Appends the time `nanoseconds` after 1970 in UTC to `buffer`, with milliseconds, cut and not rounded:
    /// `2000-10-10T13:55:36.042Z` (RFC 3339 §5.6).
    public mutating func appendTimestamp(nanoseconds: Int64, to buffer: inout ByteBuffer) {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let isBefore = remainder < 0
        prepare(isBefore ? quotient - 1 : quotient)
        buffer.append(text.span(Self.rfc3339))
        let milliseconds = UInt64((isBefore ? remainder + 1_000_000_000 : remainder) / 1_000_000)
        buffer.append(lowestOf: 0x5A_00_00_00_2E | ByteBuffer.threeDigits(milliseconds) << 8, count: 5)
    }

    private mutating func prepare(_ wanted: Int64) {
        if wanted == second, !text.isEmpty { return }
        let time = CivilTime(secondsSince1970: wanted)
        text.removeAll()
        text.appendHTTPDate(time)
        text.appendLogDate(time)
        text.appendRFC3339Seconds(time)
        second = wanted
    }
}
