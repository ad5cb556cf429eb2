import ByteBuffers
import Foundation
import Testing

@testable import Telemetry

/// A generator of test inputs that is the same in every run (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension AccessLogRecord {
    mutating func set(_ field: AccessLogField, text: String) { set(field, Array(text.utf8).span) }

    mutating func addFlag(_ key: String, _ variant: String, _ reason: String) {
        addFlag(key: Array(key.utf8).span, variant: Array(variant.utf8).span, reason: Array(reason.utf8).span)
    }

    mutating func addPart(_ name: String, _ upstream: String, _ status: UInt16, _ cause: String, _ duration: UInt64) {
        addPart(
            name: Array(name.utf8).span, upstream: Array(upstream.utf8).span, status: status,
            cause: Array(cause.utf8).span, duration: duration)
    }

    /// A record with something in every field.
    mutating func fill() {
        reset()
        time = 1_609_459_199_987_654_321
        traceID = (0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736)
        spanID = 0x00f0_67aa_0ba9_02b7
        traceFlags = 3
        status = 200
        bytesIn = 12
        bytesOut = 3456
        duration = 12_345_678
        upstreamTime = 1_000_000
        attempts = 2
        set(.requestID, text: "r-1")
        set(.client, text: "192.0.2.7")
        set(.method, text: "GET")
        set(.host, text: "api.example.com:8080")
        set(.path, text: "/tasks/42/details")
        set(.query, text: "a=1&b=%20")
        set(.protocolVersion, "HTTP/1.1")
        set(.route, text: "GET /tasks/{id}/details")
        set(.cause, "upstream_timeout")
        set(.upstream, text: "monolith")
        set(.upstreamAddress, text: "127.0.0.1:9000")
        set(.user, text: "alice")
        set(.userAgent, text: "curl/8.0 \"quoted\"")
        set(.referer, text: "http://example.com/")
        addFlag("use_user_service", "on", "split")
        addFlag("beta", "off", "static")
        addPart("task", "monolith", 200, "", 1_234_567)
        addPart("user", "", 0, "timeout", 2_000_000_000)
    }
}

struct AccessLogFormatTests {
    func line(_ format: AccessLogFormat, _ fill: (inout AccessLogRecord) -> Void) -> String {
        var record = AccessLogRecord()
        fill(&record)
        var dates = DateText()
        var buffer = ByteBuffer()
        format.append(record, dates: &dates, to: &buffer)
        return buffer.text
    }

    @Test("a line of JSON has every member, in this order")
    func json() {
        #expect(
            line(.json) { $0.fill() } == #"""
                {"time":"2020-12-31T23:59:59.987Z","request_id":"r-1",\#
                "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"03",\#
                "client":"192.0.2.7","method":"GET","host":"api.example.com:8080","path":"/tasks/42/details",\#
                "protocol":"HTTP/1.1","route":"GET /tasks/{id}/details","status":200,"cause":"upstream_timeout",\#
                "bytes_in":12,"bytes_out":3456,"duration_ms":12.345,"upstream":"monolith",\#
                "upstream_address":"127.0.0.1:9000","upstream_time_ms":1.000,"attempts":2,\#
                "flags":{"use_user_service":{"variant":"on","reason":"split"},\#
                "beta":{"variant":"off","reason":"static"}},\#
                "parts":{"task":{"upstream":"monolith","status":200,"cause":null,"duration_ms":1.234},\#
                "user":{"upstream":null,"status":0,"cause":"timeout","duration_ms":2000.000}},\#
                "marks":[],"time_split_ms":null,"user_agent":"curl/8.0 \"quoted\""}

                """#)
    }

    @Test("an empty record is a line with the same members, and a used one leaves nothing behind")
    func empty() throws {
        let empty = line(.json) { _ in }
        #expect(
            line(.json) {
                $0.fill(); $0.reset()
            } == empty)
        let object = try #require(JSONSerialization.jsonObject(with: Data(empty.utf8)) as? [String: Any])
        let full = try #require(
            JSONSerialization.jsonObject(with: Data(line(.json) { $0.fill() }.utf8)) as? [String: Any])
        #expect(Set(object.keys) == Set(full.keys))
        #expect(Set(full.keys) == Set(AccessLogField.json.map(\.name.description)))
        for name in ["request_id", "client", "method", "path", "route", "cause", "upstream", "upstream_time_ms"] {
            #expect(object[name] is NSNull, "\(name)")
        }
    }

    @Test("the user, the query and the referer are not in a line of JSON")
    func personal() {
        let text = line(.json) { $0.fill() }
        #expect(!text.contains("alice") && !text.contains("a=1") && !text.contains("http://example.com/"))
        for field in [AccessLogField.user, .query, .referer] {
            #expect(!AccessLogFormat.json.fields.contains(field))
        }
        #expect(AccessLogFormat.json.fields.contains(.userAgent))
        #expect(!AccessLogFormat.combined.fields.contains(.flags) && AccessLogFormat.combined.fields.contains(.referer))
    }

    /// nginx, ngx_http_log_module: `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent
    /// "$http_referer" "$http_user_agent"`, escaped by default as `\xHH`.
    @Test func combined() {
        #expect(
            line(.combined) { $0.fill() }
                == #"192.0.2.7 - - [31/Dec/2020:23:59:59 +0000] "GET /tasks/42/details?a=1&b=%20 HTTP/1.1" 200 3456 "#
                + #""http://example.com/" "curl/8.0 \x22quoted\x22""# + "\n")
        #expect(line(.combined) { _ in } == #"- - - [01/Jan/1970:00:00:00 +0000] "-" 000 0 "-" "-""# + "\n")
        #expect(
            line(.combined) {
                $0.time = -1
                $0.set(.userAgent, text: "a\\b\r\n\u{1B}[31mé\u{7F}~")
            } == #"- - - [31/Dec/1969:23:59:59 +0000] "-" 000 0 "-" "a\x5Cb\x0D\x0A\x1B[31m\xC3\xA9\x7F~""# + "\n")
    }

    @Test(
        "templates",
        arguments: [
            ("{status} {path}", "200 /tasks/42/details"),
            ("{{{method}}} {query}", "{GET} a=1&b=%20"),
            ("é {user}", "é alice"),
            (
                "{time}|{trace_id}|{span_id}|{trace_flags}",
                "2020-12-31T23:59:59.987Z|4bf92f3577b34da6a3ce929d0e0e4736|00f067aa0ba902b7|03"
            ),
            ("{bytes_in}/{bytes_out} {duration_ms} {upstream_time_ms} {attempts}", "12/3456 12.345 1.000 2"),
            ("{flags}", "use_user_service=on/split,beta=off/static"),
            ("{parts}", "task=monolith/200/-/1.234,user=-/0/timeout/2000.000"),
            ("{user_agent}", #"curl/8.0 \x22quoted\x22"#),
            (
                "{protocol} {host} {route} {cause} {upstream} {upstream_address} {referer} {request_id} {client}",
                "HTTP/1.1 api.example.com:8080 GET /tasks/{id}/details upstream_timeout monolith 127.0.0.1:9000 http://example.com/ r-1 192.0.2.7"
            ),
        ])
    func templates(_ template: String, _ expected: String) throws {
        let format = try AccessLogFormat(parsing: template)
        #expect(line(format) { $0.fill() } == expected + "\n")
        for field in AccessLogField.allCases {
            #expect(format.fields.contains(field) == template.contains("{\(field.name)}"))
        }
    }

    @Test("what there is not is a dash in a template")
    func dashes() throws {
        let format = try AccessLogFormat(parsing: "{cause} {upstream_time_ms} {flags} {parts} {status}")
        #expect(line(format) { _ in } == "- - - - 0\n")
    }

    @Test(arguments: [
        ("JSON", 0, "expected json, combined"), ("", 0, "expected json"), ("{{status}}", 0, "expected json"),
        ("{status", 0, "expected }"), ("a {stat}", 3, "there is no field \"stat\""),
        ("{}", 1, "there is no field \"\""),
        ("{status}}", 8, "written }}"), ("{status}\n", 8, "control characters"),
        ("{status}\u{7F}", 8, "control characters"),
    ])
    func refuses(_ text: String, _ offset: Int, _ word: String) {
        let error = #expect(throws: AccessLogFormatError.self) { try AccessLogFormat(parsing: text) }
        #expect(error?.offset == offset)
        #expect(error?.message.contains(word) == true)
        if word.hasPrefix("there is no field") {
            for field in AccessLogField.allCases { #expect(error?.message.contains(field.name.description) == true) }
        }
    }

    @Test("the names json and combined are known")
    func names() throws {
        #expect(line(try AccessLogFormat(parsing: "json")) { $0.fill() } == line(.json) { $0.fill() })
        #expect(line(try AccessLogFormat(parsing: "combined")) { $0.fill() } == line(.combined) { $0.fill() })
    }

    /// CWE-117: nothing that a client sends ends a line or adds a member to it.
    @Test("whatever bytes come in, a line is one line, and JSON is valid", arguments: 0..<4)
    func hostileBytes(_ seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let pieces: [[UInt8]] = [
            Array("\",\"status\":200".utf8), [0x0A], [0x0D], [0x22], [0x5C], [0x00], [0x1B], [0x7F], [0x80], [0xFF],
            [0xE2, 0x80, 0xA8], [0xE2, 0x80, 0xA9], [0xED, 0xA0, 0x80], [0xC0, 0x8A], [0xF0, 0x9F, 0x98, 0x80],
            [0xF0, 0x9F], Array("plain".utf8), Array("}\n{".utf8),
        ]
        func bytes() -> [UInt8] {
            (0..<Int.random(in: 0...6, using: &generator)).flatMap { _ in pieces.randomElement(using: &generator) ?? []
            }
        }
        let everything = try AccessLogFormat(
            parsing: AccessLogField.allCases.map { "{\($0.name)}" }.joined(separator: " "))
        var record = AccessLogRecord()
        var dates = DateText()
        for _ in 0..<300 {
            record.reset()
            for field in AccessLogField.allCases { record.set(field, bytes().span) }
            for number in 0..<2 {
                let key = bytes() + Array("\(number)".utf8)
                record.addFlag(key: key.span, variant: bytes().span, reason: bytes().span)
                record.addPart(name: key.span, upstream: bytes().span, status: 1, cause: bytes().span, duration: 1)
            }
            var buffer = ByteBuffer()
            AccessLogFormat.json.append(record, dates: &dates, to: &buffer)
            let text = buffer.text
            #expect(text.utf8.count == buffer.count, "the line is valid UTF-8")
            #expect(text.unicodeScalars.filter { $0.properties.generalCategory == .control }.count == 1)
            #expect(!text.unicodeScalars.contains { $0 == "\u{2028}" || $0 == "\u{2029}" })
            let object = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            #expect(object.count == AccessLogField.json.count)
            #expect((object["flags"] as? [String: Any])?.count == 2 && object["status"] as? Int == 0)

            for format in [AccessLogFormat.combined, everything] {
                buffer.removeAll()
                format.append(record, dates: &dates, to: &buffer)
                let line = Array(buffer.text.utf8)
                #expect(line.last == 0x0A && line.dropLast().allSatisfy { (0x20...0x7E).contains($0) })
            }
        }
    }

    @Test(
        "milliseconds",
        arguments: [
            (0, "0.000"), (999, "0.000"), (1_000, "0.001"), (99_999, "0.099"), (1_000_000, "1.000"),
            (1_010_000, "1.010"), (UInt64.max, "18446744073709.551"),
        ] as [(UInt64, String)])
    func milliseconds(_ nanoseconds: UInt64, _ expected: String) {
        var buffer = ByteBuffer()
        buffer.appendMilliseconds(nanoseconds)
        #expect(buffer.text == expected)
    }

    @Test("sampling touches what went well alone")
    func sampling() {
        let half = AccessLogSampling(ratio: 0.5)
        for status in [200, 204, 101, 301, 399] as [UInt16] {
            #expect(half.keeps(status: status, random: 0))
            #expect(!half.keeps(status: status, random: 1 << 63))
            #expect(AccessLogSampling(ratio: 1).keeps(status: status, random: .max))
            #expect(!AccessLogSampling(ratio: 0).keeps(status: status, random: 0))
            #expect(!AccessLogSampling(ratio: .nan).keeps(status: status, random: 0))
        }
        for status in [0, 400, 404, 499, 500, 599] as [UInt16] {
            #expect(AccessLogSampling(ratio: 0).keeps(status: status, random: .max))
        }
        var generator = SeededGenerator(state: 9)
        let tenth = AccessLogSampling(ratio: 0.1)
        let kept = (0..<100_000).count { _ in tenth.keeps(status: 200, random: generator.next()) }
        #expect(abs(kept - 10_000) < 500)
    }
}
