import ByteBuffers
import Foundation
import Testing

@testable import Telemetry

/// The split of a request's time and its marks, as lines have them, and what they do to sampling.
struct TimeSplitTests {
    private static let split: TimeSplit = {
        var split = TimeSplit()
        split.parse = 12_345
        split.queue = 1_000_000
        split.connect = 2_500_000
        split.upload = 0
        split.firstByte = 40_000_000
        split.body = 999
        split.write = 3_000_000_000
        return split
    }()

    private func line(_ format: AccessLogFormat, _ fill: (inout AccessLogRecord) -> Void) -> String {
        var record = AccessLogRecord()
        fill(&record)
        var dates = DateText()
        var buffer = ByteBuffer()
        format.append(record, dates: &dates, to: &buffer)
        return buffer.text
    }

    @Test func aSlowLineOfJSONHasTheSplit() throws {
        let text = line(.json) {
            $0.split = Self.split
            $0.marks.insert(.slow)
        }
        #expect(
            text.contains(
                #""marks":["slow"],"time_split_ms":{"parse":0.012,"queue":1.000,"connect":2.500,"upload":0.000,"#
                    + #""first_byte":40.000,"body":0.000,"write":3000.000},"user_agent""#), "\(text)")
        let object = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect((object["time_split_ms"] as? [String: Any])?.count == 7)
    }

    @Test func aLineOfJSONThatIsNotSlowHasNone() {
        #expect(line(.json) { $0.split = Self.split }.contains(#""marks":[],"time_split_ms":null,"#))
        #expect(line(.json) { $0.marks.insert(.slow) }.contains(#""marks":["slow"],"time_split_ms":null,"#))
    }

    @Test(arguments: [
        (
            "{time_split_ms}",
            "parse=0.012,queue=1.000,connect=2.500,upload=0.000,first_byte=40.000,body=0.000,write=3000.000"
        ),
        (
            "{parse_ms} {queue_ms} {connect_ms} {upload_ms} {first_byte_ms} {body_ms} {write_ms}",
            "0.012 1.000 2.500 0.000 40.000 0.000 3000.000"
        ),
        ("{marks}", "retried,truncated"),
    ])
    func templates(_ template: String, _ expected: String) throws {
        let format = try AccessLogFormat(parsing: template)
        let text = line(format) {
            $0.split = Self.split
            $0.marks.insert(.truncated)
            $0.marks.insert(.retried)
        }
        #expect(text == expected + "\n")
        let words = template.split(separator: " ").count
        #expect(line(format) { _ in } == Array(repeating: "-", count: words).joined(separator: " ") + "\n")
    }

    @Test("each mark is a word of its own, in every form", arguments: AccessLogMark.allCases)
    func marks(_ mark: AccessLogMark) throws {
        let word = mark.name.description
        #expect(AccessLogMark.allCases.count { $0.name.description == word } == 1)
        #expect(line(.json) { $0.marks.insert(mark) }.contains(#""marks":["\#(word)"]"#))
        #expect(line(try AccessLogFormat(parsing: "{marks}")) { $0.marks.insert(mark) } == word + "\n")
        var marks = AccessLogMarks()
        marks.insert(mark)
        #expect(AccessLogMark.allCases.filter { marks.contains($0) } == [mark])
    }

    @Test func allMarksTogether() {
        let words = AccessLogMark.allCases.map { "\"\($0.name)\"" }.joined(separator: ",")
        let text = line(.json) { for mark in AccessLogMark.allCases { $0.marks.insert(mark) } }
        #expect(text.contains(#""marks":[\#(words)]"#), "\(text)")
        #expect(
            line(.json) {
                for mark in AccessLogMark.allCases { $0.marks.insert(mark) }
                $0.split = Self.split
                $0.reset()
            }.contains(#""marks":[],"time_split_ms":null"#))
    }

    @Test("who has to measure", arguments: [true, false])
    func measuring(_ findsSlow: Bool) throws {
        #expect(AccessLogFormat.json.tellsTimeSplit(findingSlow: findsSlow) == findsSlow)
        #expect(!AccessLogFormat.combined.tellsTimeSplit(findingSlow: findsSlow))
        for field in AccessLogField.allCases {
            let template = try AccessLogFormat(parsing: "{\(field.name)}")
            let isShare = field == .timeSplit || TimeSplit()[field] != nil
            #expect(template.tellsTimeSplit(findingSlow: findsSlow) == isShare, "\(field.name)")
        }
        #expect(TimeSplit.shares.map { "\(TimeSplit.word($0))_ms" } == TimeSplit.shares.map(\.name.description))
    }

    @Test("what was slow, cut short or without a part is logged whatever the sampling", arguments: [0.0, 0.5])
    func sampling(_ ratio: Double) {
        let sampling = AccessLogSampling(ratio: ratio, slow: 1_000)
        #expect(!sampling.isSlow(1_000) && sampling.isSlow(1_001))
        #expect(!AccessLogSampling(ratio: ratio).isSlow(.max))
        func keeps(_ fill: (inout AccessLogRecord) -> Void) -> Bool {
            var record = AccessLogRecord()
            record.status = 200
            fill(&record)
            return sampling.keeps(
                status: record.status, hasCause: record.has(.cause), marks: record.marks, random: .max)
        }
        #expect(!keeps { _ in })
        #expect(keeps { $0.marks.insert(.slow) })
        #expect(keeps { $0.marks.insert(.partial) })
        #expect(keeps { $0.set(.cause, "upstream_truncated") })
        #expect(keeps { $0.status = 404 })
        for mark in AccessLogMark.allCases where mark != .slow && mark != .partial {
            #expect(!keeps { $0.marks.insert(mark) }, "\(mark.name)")
        }
    }
}
