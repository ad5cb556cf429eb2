import Testing

@testable import DistributedTracing

/// OpenTelemetry's variables (specification, environment variables and OTLP exporter).
@Suite struct OpenTelemetryEnvironmentTests {
    @Test func nothingIsNothing() {
        let empty = OpenTelemetryEnvironment([:])
        #expect(empty.settings == ExportSettings() && empty.sampleRatio == nil && empty.warnings.isEmpty)
        let blank = OpenTelemetryEnvironment(["OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_SAMPLER": ""])
        #expect(blank.settings == ExportSettings() && blank.warnings.isEmpty)
    }

    @Test(
        arguments: [
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"], .collector("http://c:4318/v1/traces")),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"], .collector("http://c:4318/v1/traces")),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c/base"], .collector("http://c/base/v1/traces")),
            (["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/as/it/is"], .collector("http://c/as/it/is")),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b"],
                .collector("http://b")
            ),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"], .none),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "TRUE"], .none),
            (["OTEL_TRACES_EXPORTER": "console"], .standardOutput), (["OTEL_TRACES_EXPORTER": "otlp"], .none),
        ] as [([String: String], ExportSettings.Destination)])
    func destinations(variables: [String: String], expected: ExportSettings.Destination) {
        let environment = OpenTelemetryEnvironment(variables)
        #expect(environment.settings.destination == expected && environment.warnings.isEmpty, "\(environment.warnings)")
    }

    /// Nobody's word on compression leaves it to where the collector is.
    @Test(arguments: [
        ("127.0.0.1", false), ("127.8.9.1", false), ("::1", false), ("localhost", false), ("LocalHost", false),
        ("::ffff:127.0.0.1", false), ("10.0.0.1", true), ("::", true), ("::2", true), ("127.example.com", true),
        ("collector", true), ("localhost.example.com", true), ("128.0.0.1", true),
    ])
    func compressionByHost(host: String, isOn: Bool) {
        #expect(OpenTelemetryEnvironment([:]).settings.compresses == nil)
        #expect(OpenTelemetryEnvironment(["OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"]).settings.compresses == true)
        #expect(ExportSettings.compresses(to: host) == isOn)
    }

    @Test func everythingElse() {
        let settings = OpenTelemetryEnvironment([
            "OTEL_EXPORTER_OTLP_HEADERS": "a=1, b = x%20y ,c=", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "B=2",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "250",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5", "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "crt", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "key",
            "OTEL_SERVICE_NAME": "edge", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,k=v%2Cw",
            "OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "7", "OTEL_BSP_EXPORT_TIMEOUT": "8",
        ]).settings
        #expect(settings.headers.map { "\($0.name)=\($0.value)" } == ["a=1", "c=", "B=2"])
        #expect(
            settings.compresses == false && settings.timeout == 250 && settings.patience == 8 && settings.delay == 7)
        #expect(settings.queue == 100 && settings.batch == 100, "a batch is not more than there can be")
        #expect(settings.authorities == "ca" && settings.certificate == "crt" && settings.key == "key")
        #expect(
            settings.resource.map { "\($0.key)=\($0.value)" } == [
                "service.name=edge", "k=v,w", "telemetry.sdk.name=banyan", "telemetry.sdk.language=swift",
            ])
    }

    @Test(
        arguments: [
            ("always_on", nil, 1), ("always_off", nil, 0), ("parentbased_always_on", "0.5", 1),
            ("traceidratio", "0.25", 0.25), ("parentbased_traceidratio", nil, 1), ("traceidratio", "2", nil),
            ("jaeger_remote", "x", nil),
        ] as [(String, String?, Double?)])
    func samplers(name: String, argument: String?, expected: Double?) {
        var variables = ["OTEL_TRACES_SAMPLER": name]
        variables["OTEL_TRACES_SAMPLER_ARG"] = argument
        let environment = OpenTelemetryEnvironment(variables)
        #expect(environment.sampleRatio == expected && environment.warnings.isEmpty == (expected != nil))
    }

    @Test(
        arguments: [
            (nil, nil), ("tracecontext,baggage", ["tracecontext", "baggage"]), (" b3 , b3multi,b3", ["b3", "b3multi"]),
            ("none", []), ("jaeger,tracecontext", ["tracecontext"]),
        ] as [(String?, [String]?)])
    func propagators(value: String?, expected: [String]?) {
        var variables = ["OTEL_SDK_DISABLED": "true"]
        variables["OTEL_PROPAGATORS"] = value
        let environment = OpenTelemetryEnvironment(variables)
        #expect(environment.propagators == expected, "also where the rest is off")
        #expect(environment.warnings.isEmpty == (value?.contains("jaeger") != true), "\(environment.warnings)")
    }

    @Test(arguments: [
        ("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"), ("OTEL_BSP_SCHEDULE_DELAY", "-1"), ("OTEL_EXPORTER_OTLP_HEADERS", "novalue"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz"), ("OTEL_RESOURCE_ATTRIBUTES", "=b"),
    ])
    func nonsenseIsLeftOutWithAWarning(name: String, value: String) {
        let environment = OpenTelemetryEnvironment([name: value])
        #expect(environment.warnings.count == 1 && environment.warnings[0].contains(name), "\(environment.warnings)")
        #expect(environment.settings == ExportSettings())
    }
}
