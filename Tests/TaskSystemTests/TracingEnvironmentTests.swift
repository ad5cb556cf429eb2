import Testing

@testable import tasksystem

@Suite("What the environment says about spans")
struct TracingEnvironmentTests {
    private static func read(_ variables: [String: String]) -> TracingEnvironment {
        TracingEnvironment(variables, service: "tasksystem-comments")
    }

    private static func with(_ variables: [String: String]) -> TracingEnvironment {
        read(["OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318"].merging(variables) { $1 })
    }

    @Test(
        "spans go where an endpoint says, and nowhere without one",
        arguments: [
            ([:], nil), (["OTEL_EXPORTER_OTLP_ENDPOINT": ""], nil),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"], "http://127.0.0.1:4318/v1/traces"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://h/"], "http://h:80/v1/traces"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "HTTP://h:1/base?k=v"], "http://h:1/base/v1/traces?k=v"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4318/"], "http://[::1]:4318/v1/traces"),
            // The one for traces is used as it is.
            (["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:1"], "http://h:1/"),
            (
                [
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:1/in/take",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://other",
                ], "http://h:1/in/take"
            ),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "True"], nil),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "1"], "http://h:80/v1/traces"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_TRACES_EXPORTER": "none"], nil),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_TRACES_EXPORTER": "otlp"], "http://h:80/v1/traces"),
        ] as [([String: String], String?)])
    func destination(variables: [String: String], url: String?) {
        let found = Self.read(variables)
        #expect(found.export?.url == url)
        #expect(found.notices.isEmpty)
    }

    @Test(
        "an endpoint that cannot be served is named in one line",
        arguments: [
            "https://h:4318", "h:4318", "http://", "grpc://h", "http://user:password@h", "http://h:0", "http://h:99999",
        ])
    func unserved(text: String) {
        let found = Self.read(["OTEL_EXPORTER_OTLP_ENDPOINT": text])
        #expect(found.export == nil && found.notices.count == 1)
        #expect(found.notices.first?.hasPrefix("OTEL_EXPORTER_OTLP_ENDPOINT is left out: ") == true)
        #expect(found.notices.first?.contains("password") == false && found.notices.first?.contains("\n") == false)
    }

    @Test("the resource: the service's name, and what the environment adds")
    func resource() throws {
        func resource(_ variables: [String: String]) throws -> [String: String] {
            let pairs = try #require(Self.with(variables).export).resource
            return Dictionary(uniqueKeysWithValues: pairs.map { ($0.name, $0.value) })
        }
        #expect(
            try resource([:]) == [
                "service.name": "tasksystem-comments", "telemetry.sdk.name": "tasksystem",
                "telemetry.sdk.language": "swift",
            ])
        let told = "a=1, b = x%20%3D%2Cy ,a=2,service.name=mine,telemetry.sdk.language=c"
        let more = try resource(["OTEL_RESOURCE_ATTRIBUTES": told])
        #expect(more["a"] == "2" && more["b"] == "x =,y" && more["service.name"] == "mine")
        #expect(more["telemetry.sdk.language"] == "swift")
        #expect(
            try resource(["OTEL_RESOURCE_ATTRIBUTES": told, "OTEL_SERVICE_NAME": "ours"])["service.name"] == "ours")
        let broken = Self.with(["OTEL_RESOURCE_ATTRIBUTES": "a=1,b"])
        #expect(broken.export?.resource.count == 3 && broken.notices.count == 1)
    }

    @Test("header fields, those for traces over those for all")
    func headers() {
        let found = Self.with([
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20eDp5,x-a=1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "X-A=2",
        ])
        #expect(found.export?.headers.map(\.name) == ["authorization", "X-A"])
        #expect(found.export?.headers.map(\.value) == ["Basic eDp5", "2"])
        for broken in ["x-a=1%0d%0asecret: 1", "a b=secret", "secret"] {
            let found = Self.with(["OTEL_EXPORTER_OTLP_HEADERS": broken])
            #expect(found.export?.headers == [] && found.notices.count == 1)
            #expect(!found.notices.joined().contains("secret"))
        }
    }

    @Test(
        "the six samplers",
        arguments: [
            (nil, nil, TraceSampler(followsParent: true, share: 1), 0),
            ("always_on", nil, TraceSampler(followsParent: false, share: 1), 0),
            ("always_off", nil, TraceSampler(followsParent: false, share: 0), 0),
            ("traceidratio", "0.25", TraceSampler(followsParent: false, share: 0.25), 0),
            ("traceidratio", nil, TraceSampler(followsParent: false, share: 1), 0),
            ("parentbased_always_on", "0.5", TraceSampler(followsParent: true, share: 1), 0),
            ("parentbased_always_off", nil, TraceSampler(followsParent: true, share: 0), 0),
            ("parentbased_traceidratio", "0", TraceSampler(followsParent: true, share: 0), 0),
            ("parentbased_traceidratio", "2", TraceSampler(followsParent: true, share: 1), 1),
            ("parentbased_traceidratio", "nan", TraceSampler(followsParent: true, share: 1), 1),
            ("jaeger_remote", nil, TraceSampler(followsParent: true, share: 1), 1),
        ] as [(String?, String?, TraceSampler, Int)])
    func samplers(name: String?, argument: String?, expected: TraceSampler, notices: Int) {
        var variables: [String: String] = [:]
        variables["OTEL_TRACES_SAMPLER"] = name
        variables["OTEL_TRACES_SAMPLER_ARG"] = argument
        let found = Self.with(variables)
        #expect(found.sampler == expected && found.notices.count == notices, "\(found.notices)")
    }

    @Test("numbers, and what is left out with a word about it")
    func numbers() throws {
        let plain = try #require(Self.with([:]).export)
        #expect(plain.timeout == .seconds(10) && plain.delay == .seconds(1))
        #expect(plain.queue == 2048 && plain.batch == 512)
        let other = Self.with([
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "300",
            "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "200", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        ])
        let settings = try #require(other.export)
        #expect(settings.timeout == .milliseconds(300) && settings.delay == .milliseconds(50))
        #expect(settings.queue == 100 && settings.batch == 100 && other.notices.isEmpty)
        let wrong = Self.with([
            "OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_BSP_MAX_QUEUE_SIZE": "0",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "513", "OTEL_TRACES_EXPORTER": "zipkin",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        ])
        #expect(wrong.export == plain && wrong.notices.count == 5, "\(wrong.notices)")
    }
}
