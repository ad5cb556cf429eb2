import Testing

@testable import Telemetry

/// The two formats, line by line.
@Suite struct MetricsTextTests {
    private static let requests = MetricFamily("test_requests_total", .counter, "How many \"requests\"\nthere \\ were.")
    private static let duration = MetricFamily("test_duration_seconds", .histogram, unit: "seconds", "How long.")
    private static let shape = HistogramShape(
        bounds: [5_000_000, 1_000_000_000], scale: 1_000_000_000, hasExemplars: true)

    private static func text(_ format: MetricsFormat, _ write: (inout MetricsText) -> Void) -> String {
        var text = MetricsText(format, wallClock: 1_700_000_000.5, monotonicClock: 2_000_000_000)
        write(&text)
        return String(decoding: text.finish(), as: UTF8.self)
    }

    @Test func aCounterInBothFormats() {
        let write = { (text: inout MetricsText) in
            text.write(
                Self.requests,
                [
                    MetricSample([MetricLabel("route", "a\\b\"c\nd"), MetricLabel("empty", "")], .whole(.max)),
                    MetricSample([], .real(0.5)),
                ])
        }
        #expect(
            Self.text(.prometheus, write) == #"""
                # HELP test_requests_total How many "requests"\nthere \\ were.
                # TYPE test_requests_total counter
                test_requests_total{route="a\\b\"c\nd",empty=""} 18446744073709551615
                test_requests_total 0.5

                """#)
        #expect(
            Self.text(.openMetrics, write) == #"""
                # HELP test_requests How many \"requests\"\nthere \\ were.
                # TYPE test_requests counter
                test_requests_total{route="a\\b\"c\nd",empty=""} 18446744073709551615
                test_requests_total 0.5
                # EOF

                """#)
    }

    @Test func informationIsAGaugeWhereThereIsNoSuchType() {
        let family = MetricFamily("test_info", .info, "What it is.")
        let write = { (text: inout MetricsText) in
            text.write(family, [MetricSample([MetricLabel("a", "b")], .whole(1))])
        }
        #expect(
            Self.text(.prometheus, write)
                == "# HELP test_info What it is.\n# TYPE test_info gauge\ntest_info{a=\"b\"} 1\n")
        #expect(
            Self.text(.openMetrics, write)
                == "# HELP test What it is.\n# TYPE test info\ntest_info{a=\"b\"} 1\n# EOF\n")
    }

    @Test func aHistogramIsCumulatedAndItsBoundsAreCanonical() {
        let table = MetricTable(MetricAdmission(), histograms: [Self.shape])
        table.observe(
            4_000_000, of: 7,
            exemplar: MetricExemplar(trace: (0xAB, 0xCD), span: 0xEF, value: 4_000_000, time: 1_000_000_000))
        table.observe(5_000_001, of: 7)
        table.observe(2_000_000_000, of: 7)
        let totals = MetricTotals([table])
        let write = { (text: inout MetricsText) in
            text.write(Self.duration, totals, 0, Self.shape) { [MetricLabel("key", "\($0)")] }
        }
        #expect(
            Self.text(.prometheus, write) == """
                # HELP test_duration_seconds How long.
                # TYPE test_duration_seconds histogram
                test_duration_seconds_bucket{key="7",le="0.005"} 1
                test_duration_seconds_bucket{key="7",le="1"} 2
                test_duration_seconds_bucket{key="7",le="+Inf"} 3
                test_duration_seconds_sum{key="7"} 2.009000001
                test_duration_seconds_count{key="7"} 3

                """)
        let exemplar =
            ##" # {trace_id="00000000000000ab00000000000000cd",span_id="00000000000000ef"} 0.004 1699999999.500"##
        #expect(
            Self.text(.openMetrics, write) == """
                # HELP test_duration_seconds How long.
                # TYPE test_duration_seconds histogram
                # UNIT test_duration_seconds seconds
                test_duration_seconds_bucket{key="7",le="0.005"} 1\(exemplar)
                test_duration_seconds_bucket{key="7",le="1.0"} 2
                test_duration_seconds_bucket{key="7",le="+Inf"} 3
                test_duration_seconds_sum{key="7"} 2.009000001
                test_duration_seconds_count{key="7"} 3
                # EOF

                """)
        // Names and values of an exemplar's labels are at most 128 characters together (OpenMetrics, "Exemplars").
        #expect("trace_idspan_id".count + 32 + 16 <= 128)
    }

    @Test func whatIsOneSetTooManyIsNamedSo() {
        let table = MetricTable(MetricAdmission(most: 1), counters: 1, histograms: [Self.shape])
        table.add(to: 0, of: 1)
        table.add(to: 0, of: 2)
        let totals = MetricTotals([table])
        let text = Self.text(.prometheus) { text in
            text.write(Self.requests, totals) { [MetricLabel("key", "\($0)")] }
            text.write(Self.duration, totals, 0, Self.shape) { [MetricLabel("key", "\($0)")] }
        }
        #expect(text.contains("\ntest_requests_total{key=\"1\"} 1\n"))
        #expect(text.contains("\ntest_requests_total{otel_metric_overflow=\"true\"} 1\n"))
        #expect(text.contains("\ntest_duration_seconds_count{otel_metric_overflow=\"true\"} 0\n"))
    }

    @Test(
        arguments: [
            (0, "0", "0.0"), (1, "1", "1.0"), (10, "10", "10.0"), (0.001, "0.001", "0.001"), (0.1, "0.1", "0.1"),
            (0.0001, "0.0001", "0.0001"), (0.00001, "1e-05", "1e-05"), (1.7, "1.7", "1.7"),
            (100_000, "100000", "100000.0"), (1_000_000, "1e+06", "1e+06"), (1_048_576, "1.048576e+06", "1.048576e+06"),
            (1e10, "1e+10", "1e+10"), (1e-10, "1e-10", "1e-10"), (1e100, "1e+100", "1e+100"), (2.5, "2.5", "2.5"),
            (.infinity, "+Inf", "+Inf"), (-0.25, "-0.25", "-0.25"), (123_456.5, "123456.5", "123456.5"),
            (1_234_567.5, "1.2345675e+06", "1.2345675e+06"), (7.5e-7, "7.5e-07", "7.5e-07"),
        ] as [(Double, String, String)])
    func numbersAreWrittenAsGoWritesThem(value: Double, text: String, canonical: String) {
        #expect(MetricNumber.text(value) == text)
        #expect(MetricNumber.canonical(value) == canonical)
        #expect(value.isInfinite || Double(text) == value)
    }

    @Test(
        arguments: [
            ("", .prometheus), ("*/*", .prometheus), ("text/plain", .prometheus), ("text/html", .prometheus),
            ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text;version=1.0.0", .openMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\" ; charset=utf-8", .openMetrics),
            ("application/openmetrics-text;version=0.0.1", .prometheus),
            ("application/openmetrics-text;version=2.0.0,text/plain", .prometheus),
            ("application/openmetrics-text;version=1.0.0;q=0", .prometheus),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.5", .prometheus),
            ("application/openmetrics-text;q=0.50, text/plain;q=0.5", .openMetrics),
            ("application/openmetrics-text;q=nonsense", .prometheus),
            ("application/openmetrics-text;q", .openMetrics),
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                    + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", .openMetrics
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                    + "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;"
                    + "q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1", .openMetrics
            ),
        ] as [(String, MetricsFormat)])
    func theFormatIsChosenByAccept(accept: String, format: MetricsFormat) {
        #expect(MetricsFormat(accepting: accept) == format)
    }

    @Test func theTypesAreThoseThatPrometheusKnows() {
        #expect(MetricsFormat.prometheus.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            MetricsFormat.openMetrics.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
    }
}
