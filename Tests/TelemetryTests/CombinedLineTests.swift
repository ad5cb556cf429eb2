import ByteBuffers
import Foundation
import Testing

@testable import Telemetry

/// Lines in the combined format, as those read them who know nginx and Apache.
struct CombinedLineTests {
    /// Apache's `"%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""` and nginx's `combined`: what log readers
    /// such as GoAccess (`%h %^[%d:%t %^] "%r" %s %b "%R" "%u"`) and Logstash (`COMBINEDAPACHELOG`) take apart.
    private struct Reading {
        var client, ident, user, date, time, zone, request, status, bytes, referer: String

        /// nil where the line does not look as it should.
        init?(_ line: String) {
            let host = #/(?<client>\S+) (?<ident>\S+) (?<user>\S+) (?<rest>.*)/#
            let date =
                #/\[(?<date>\d\d/(?:[JFMASOND][a-z]{2})/\d{4}):(?<time>\d\d:\d\d:\d\d) (?<zone>[+-]\d{4})\] (?<rest>.*)/#
            let answer = #/"(?<request>[^"]*)" (?<status>\d{3}) (?<bytes>\d+) "(?<referer>[^"]*)" "[^"]*"/#
            guard let first = line.wholeMatch(of: host), let second = first.rest.wholeMatch(of: date),
                let third = second.rest.wholeMatch(of: answer)
            else { return nil }
            client = String(first.client)
            ident = String(first.ident)
            user = String(first.user)
            self.date = String(second.date)
            time = String(second.time)
            zone = String(second.zone)
            request = String(third.request)
            status = String(third.status)
            bytes = String(third.bytes)
            referer = String(third.referer)
        }
    }

    private func line(_ fill: (inout AccessLogRecord) -> Void) -> String {
        var record = AccessLogRecord()
        fill(&record)
        var dates = DateText()
        var buffer = ByteBuffer()
        AccessLogFormat.combined.append(record, dates: &dates, to: &buffer)
        return String(buffer.text.dropLast())
    }

    @Test func everyPartIsFound() throws {
        let text = line { $0.fill() }
        let match = try #require(Reading(text), "\(text)")
        #expect(match.client == "192.0.2.7" && match.ident == "-")
        // Who it was is personal: only a template that asks for it gets it.
        #expect(match.user == "-")
        #expect(match.date == "31/Dec/2020" && match.time == "23:59:59" && match.zone == "+0000")
        let words = match.request.split(separator: " ")
        #expect(words == ["GET", "/tasks/42/details?a=1&b=%20", "HTTP/1.1"])
        #expect(match.status == "200" && match.bytes == "3456" && match.referer == "http://example.com/")
    }

    @Test("the date of every month", arguments: 0..<12)
    func months(_ month: Int) throws {
        let text = line { $0.time = Int64(month) * 2_630_016 * 1_000_000_000 + 86_400_000_000_000 }
        let match = try #require(Reading(text), "\(text)")
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "dd/MMM/yyyy:HH:mm:ss Z"
        let date = try #require(formatter.date(from: "\(match.date):\(match.time) \(match.zone)"))
        #expect(Int(date.timeIntervalSince1970) == month * 2_630_016 + 86_400)
    }

    @Test(
        "no value of a client can be taken for another part",
        arguments: [
            "\" 200 1 \"-\" \"forged", "\\\" 200 1 \"-\" \"forged", "]", "\u{00}\u{01}\n", "é\u{2028}", "\\", "",
        ])
    func hostile(_ value: String) throws {
        let text = line { record in
            for field in AccessLogField.allCases where field != .client { record.set(field, text: value) }
        }
        let match = try #require(Reading(text), "\(text)")
        #expect(match.status == "000" && match.bytes == "0" && !match.request.contains("\""))
    }

    @Test("a status has three digits", arguments: [(0, "000"), (7, "007"), (99, "099"), (101, "101"), (599, "599")])
    func statuses(_ status: UInt16, _ expected: String) {
        let text = line { $0.status = status }
        #expect(Reading(text)?.status == expected, "\(text)")
    }
}
