/// What a caller says of its trace, and what of it goes on; `section` is where W3C Trace Context, level 2, says so.
struct TraceContextCase: CustomStringConvertible, Sendable {
    enum Outcome: Sendable {
        /// A new trace begins, and nothing of what came goes on.
        case restarted
        /// The trace goes on with these flags and this `tracestate`, in one field, or none.
        case continued(flags: String, state: String?)
    }

    var section: String
    var fields: [(String, String)]
    var outcome: Outcome
    /// Whether HTTP/2 cannot carry it: values there have no white space around them (RFC 9113 §8.2.1).
    var isForHTTP1 = false

    static let trace = "5ca1ab1e0ddba11c0ffee0facade1234"
    static let span = "feedbeefcafe0042"

    static let all: [TraceContextCase] = parents + states

    var description: String {
        (["\(section): \(outcome)"] + fields.map { "\($0.0): \($0.1.debugDescription)" }).joined(separator: "\n")
    }

    /// A `traceparent` that is right but for what is given.
    static func parent(
        _ version: String = "00", _ trace: String = trace, _ span: String = span, _ flags: String = "01",
        then tail: String = ""
    ) -> String { "\(version)-\(trace)-\(span)-\(flags)\(tail)" }

    // MARK: - traceparent

    private static let parents: [TraceContextCase] =
        names + laterVersions + brokenVersions + identifiers + flags + wholeValues + blanks

    private static func goesOn(_ section: String, _ value: String, flags: String = "01") -> TraceContextCase {
        TraceContextCase(
            section: section, fields: [("traceparent", value)], outcome: .continued(flags: flags, state: nil))
    }

    /// Values for which the trace begins anew; the `tracestate` beside them is not even looked at (§Tracestate Header).
    private static func restarts(_ section: String, _ values: String...) -> TraceContextCase {
        TraceContextCase(
            section: section, fields: values.map { ("traceparent", $0) } + [("tracestate", "a=1")], outcome: .restarted)
    }

    private static var names: [TraceContextCase] {
        let good = ["traceparent", "TRACEPARENT", "Traceparent", "tRACEpARENT"]
        let bad = ["trace-parent", "trace_parent", "traceparents", "x-traceparent"]
        let section = "traceparent §Header Name"
        return good.map {
            TraceContextCase(
                section: section, fields: [($0, parent())], outcome: .continued(flags: "01", state: nil))
        }
            + bad.map {
                TraceContextCase(
                    section: section, fields: [($0, parent()), ("tracestate", "a=1")], outcome: .restarted)
            }
    }

    private static var laterVersions: [TraceContextCase] {
        let section = "§Versioning of traceparent"
        let good = ["", "-", "-5", "-more-of-it", "-=,; ~"]
        let bad = [".", "5", "_", ",", " -"]
        var cases: [TraceContextCase] = []
        for version in ["01", "0a", "7f", "cc", "fe"] {
            for tail in good { cases.append(goesOn(section, parent(version, then: tail))) }
            for tail in bad { cases.append(restarts(section, parent(version, then: tail))) }
            cases.append(goesOn(section, parent(version, trace, span, "ff", then: "-ff"), flags: "03"))
            cases.append(restarts(section, String(parent(version).dropLast())))
            cases.append(restarts(section, parent(version, trace.uppercased())))
            cases.append(restarts(section, parent(version, trace, "0000000000000000", then: "-x")))
        }
        return cases
    }

    private static var brokenVersions: [TraceContextCase] {
        let versions = ["ff", "fF", "FE", "0C", "0", "000", "0g", "x0", "-1", "", "0 ", "+1"]
        let tails = ["-", "-00", "-more-of-it", ".", "0", " x", ","]
        return versions.map { restarts("§version", parent($0)) } + [restarts("§version", parent("ff", then: "-more"))]
            // Version 00 ends with its flags.
            + tails.map { restarts("§version-format", parent(then: $0)) }
    }

    private static var identifiers: [TraceContextCase] {
        let traces: [String] = [
            String(repeating: "0", count: 32), String(trace.dropLast()), trace + "5", trace.uppercased(),
            "g" + trace.dropFirst(), trace.dropLast() + "G", trace.dropLast(16) + "-" + trace.dropFirst(17),
            trace.dropLast() + " ", "", "0x" + trace.dropFirst(2), trace.dropLast() + "\u{E9}",
        ]
        let spans: [String] = [
            String(repeating: "0", count: 16), String(span.dropLast()), span + "5", span.uppercased(),
            "z" + span.dropFirst(), span.dropLast() + "/", span.dropLast(8) + ":" + span.dropFirst(9), "", "-" + span,
        ]
        return traces.map { restarts("§trace-id", parent("00", $0)) }
            + spans.map { restarts("§parent-id", parent("00", trace, $0)) }
            + [
                goesOn("§parent-id", parent("00", trace, "0000000000000001")),
                goesOn("§parent-id", parent("00", trace, "ffffffffffffffff")),
            ]
    }

    private static var flags: [TraceContextCase] {
        let good: [(String, String)] = [
            ("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("04", "00"), ("09", "01"), ("0a", "02"),
            ("80", "00"), ("fc", "00"), ("fd", "01"), ("fe", "02"), ("ff", "03"),
        ]
        let bad = ["", "1", "001", "0A", "g0", "0.", "-1", " 1"]
        return good.map { goesOn("§trace-flags, §Random Trace ID Flag", parent("00", trace, span, $0.0), flags: $0.1) }
            + bad.map { restarts("§trace-flags", parent("00", trace, span, $0)) }
    }

    private static var wholeValues: [TraceContextCase] {
        let section = "§traceparent Header Field Values"
        let good = parent()
        let bad: [String] = [
            "", "\(good),\(good)", "\"\(good)\"", String(repeating: "-", count: 55), good.replacing("-", with: "_"),
            good.replacing("-", with: "%2d"), good.replacing("-", with: " - "), String(repeating: good, count: 40),
        ]
        return bad.map { restarts(section, $0) }
            + [
                restarts(section, good, good), restarts(section, good, parent("00", String(trace.reversed()))),
                restarts(section, good, ""), restarts(section, "", good), restarts(section, good, "no"),
                TraceContextCase(
                    section: section, fields: [("TraceParent", good), ("traceparent", good)], outcome: .restarted),
                TraceContextCase(section: "§No traceparent Received", fields: [], outcome: .restarted),
                TraceContextCase(
                    section: "§No traceparent Received", fields: [("tracestate", "a=1"), ("tracestate", "b=2")],
                    outcome: .restarted),
            ]
    }

    private static var blanks: [TraceContextCase] {
        [" ", "   ", "\t", " \t \t"].flatMap { blank in
            ["\(blank)\(parent())", "\(parent())\(blank)", "\(blank)\(parent())\(blank)"].map { value in
                var example = goesOn("RFC 9110 §5.5 around traceparent", value)
                example.isForHTTP1 = true
                return example
            }
        }
    }
}
