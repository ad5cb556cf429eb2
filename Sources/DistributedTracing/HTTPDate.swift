/// A date as HTTP writes it (RFC 9110 §5.6.7, IMF-fixdate): `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    /// Its seconds after 1970 in UTC; nil for anything else, the obsolete forms included.
    package static func seconds(parsing text: borrowing Span<UInt8>) -> Int64? {
        guard text.count == 29, text[3] == UInt8(ascii: ","), text[19] == UInt8(ascii: ":"),
            text[22] == UInt8(ascii: ":"), text[26] == UInt8(ascii: "G"), text[27] == UInt8(ascii: "M"),
            text[28] == UInt8(ascii: "T"),
            let day = number(text, 5, 2), let month = month(text), let year = number(text, 12, 4),
            let hour = number(text, 17, 2), let minute = number(text, 20, 2), let second = number(text, 23, 2),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        return (days(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second
    }

    private static func number(_ text: borrowing Span<UInt8>, _ start: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for index in start..<(start + count) {
            guard case 0x30...0x39 = text[index] else { return nil }
            value = value * 10 + Int64(text[index] - 0x30)
        }
        return value
    }

    private static func month(_ text: borrowing Span<UInt8>) -> Int64? {
        switch (text[8], text[9], text[10]) {
        case (0x4A, 0x61, 0x6E): 1
        case (0x46, 0x65, 0x62): 2
        case (0x4D, 0x61, 0x72): 3
        case (0x41, 0x70, 0x72): 4
        case (0x4D, 0x61, 0x79): 5
        case (0x4A, 0x75, 0x6E): 6
        case (0x4A, 0x75, 0x6C): 7
        case (0x41, 0x75, 0x67): 8
        case (0x53, 0x65, 0x70): 9
        case (0x4F, 0x63, 0x74): 10
        case (0x4E, 0x6F, 0x76): 11
        case (0x44, 0x65, 0x63): 12
        default: nil
        }
    }

    /// The days from 1 January 1970 to a day of the Gregorian calendar (years begin in March, so that a leap day is the
    /// last of its year).
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
