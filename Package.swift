// swift-tools-version: 6.2
import PackageDescription

// The rooms of the gateway and the arrows between them; docs/architecture.md draws the same picture.
let package = Package(
    name: "banyan",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "banyan", targets: ["banyan"]),
        .executable(name: "tasksystem", targets: ["tasksystem"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2", traits: []),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // C libraries, one importer each.
        .systemLibrary(name: "CLibuv", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]),
        .systemLibrary(
            name: "CLibcurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .systemLibrary(
            name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"]), .brew(["jansson"])]),
        .systemLibrary(
            name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"]), .brew(["libnghttp2"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .systemLibrary(name: "CMimalloc", providers: [.apt(["libmimalloc-dev"]), .brew(["mimalloc"])]),

        // Rooms, from the ground up.
        .target(name: "ByteBuffers"),
        .target(name: "EventLoops", dependencies: ["ByteBuffers", "CLibuv"]),
        .target(name: "Compression", dependencies: ["ByteBuffers", "CZlib"]),
        .target(name: "HTTPMessage", dependencies: ["ByteBuffers"]),
        .target(name: "JSON", dependencies: ["ByteBuffers", "CJansson"]),
        .target(name: "FeatureFlags", dependencies: ["ByteBuffers", "JSON"]),
        .target(name: "GatewayConfig", dependencies: ["ByteBuffers", "JSON"]),
        .target(name: "Routing", dependencies: ["ByteBuffers", "HTTPMessage"]),
        .target(name: "HTTP2Framing", dependencies: ["ByteBuffers", "CNghttp2"]),
        .target(name: "DistributedTracing", dependencies: ["ByteBuffers", "HTTPMessage"]),
        .target(name: "Telemetry", dependencies: ["ByteBuffers"]),
        .target(name: "Aggregation", dependencies: ["ByteBuffers", "JSON"]),
        .target(
            name: "HTTPListener",
            dependencies: ["ByteBuffers", "EventLoops", "HTTP2Framing", "HTTPMessage", "COpenSSL"]),
        .target(
            name: "Upstreams", dependencies: ["ByteBuffers", "EventLoops", "HTTP2Framing", "HTTPMessage", "CLibcurl"]),
        .target(
            name: "GatewayCore",
            dependencies: [
                "ByteBuffers", "EventLoops", "HTTP2Framing", "HTTPMessage", "HTTPListener", "Upstreams", "JSON",
                "FeatureFlags",
                "GatewayConfig", "Routing", "DistributedTracing", "Telemetry", "Aggregation", "Compression",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(
            name: "Admin",
            dependencies: [
                "ByteBuffers", "DistributedTracing", "EventLoops", "FeatureFlags", "GatewayConfig", "GatewayCore",
                "HTTP2Framing", "HTTPListener", "HTTPMessage", "JSON", "Upstreams",
            ],
            resources: [.embedInCode("Pages")]),
        .executableTarget(
            name: "banyan",
            dependencies: [
                "Admin", "CMimalloc", "EventLoops", "GatewayConfig", "GatewayCore", "HTTPListener", "JSON",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // The Task Management System that is migrated: knows nothing of the gateway.
        .executableTarget(
            name: "tasksystem",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),

        .testTarget(name: "ByteBuffersTests", dependencies: ["ByteBuffers"]),
        .testTarget(name: "EventLoopsTests", dependencies: ["ByteBuffers", "EventLoops"]),
        .testTarget(
            name: "HTTPMessageTests",
            dependencies: [
                "ByteBuffers", "HTTPMessage",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .testTarget(name: "CompressionTests", dependencies: ["ByteBuffers", "Compression"]),
        .testTarget(name: "HTTP2FramingTests", dependencies: ["ByteBuffers", "HTTP2Framing"]),
        .testTarget(name: "JSONTests", dependencies: ["ByteBuffers", "JSON"]),
        .testTarget(name: "FeatureFlagsTests", dependencies: ["ByteBuffers", "FeatureFlags", "JSON"]),
        .testTarget(
            name: "GatewayConfigTests", dependencies: ["ByteBuffers", "GatewayConfig", "JSON"], exclude: ["Fixtures"]),
        .testTarget(name: "RoutingTests", dependencies: ["ByteBuffers", "HTTPMessage", "Routing"]),
        .testTarget(
            name: "DistributedTracingTests", dependencies: ["ByteBuffers", "DistributedTracing", "HTTPMessage"]),
        .testTarget(name: "TelemetryTests", dependencies: ["ByteBuffers", "Telemetry"]),
        .testTarget(name: "AggregationTests", dependencies: ["Aggregation", "ByteBuffers", "JSON"]),
        .testTarget(
            name: "UpstreamsTests",
            dependencies: ["ByteBuffers", "CLibcurl", "EventLoops", "HTTP2Framing", "HTTPMessage", "Upstreams"]),
        .testTarget(
            name: "HTTPListenerTests",
            dependencies: ["ByteBuffers", "COpenSSL", "EventLoops", "HTTP2Framing", "HTTPListener", "HTTPMessage"]),
        .testTarget(
            name: "GatewayCoreTests",
            dependencies: [
                "ByteBuffers", "DistributedTracing", "EventLoops", "GatewayConfig", "GatewayCore", "HTTPMessage",
            ]),
        .testTarget(name: "TaskSystemTests", dependencies: ["tasksystem"]),
        .testTarget(
            name: "EndToEndTests", dependencies: ["CNghttp2", "COpenSSL", "banyan", "tasksystem"],
            exclude: ["Clients", "Heads"]),
        .testTarget(name: "DocumentTests"),

        // Properties that hold for every input, for the tests and for the fuzzer.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Aggregation", "ByteBuffers", "Compression", "DistributedTracing", "EventLoops", "FeatureFlags", "GatewayConfig",
                "GatewayCore", "HTTPListener", "HTTPMessage", "JSON", "Upstreams",
            ], path: "Fuzz/Targets"),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"]),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer brings the `main` of this program, so that it can only be built with it: scripts/fuzz.sh.
if Context.environment["BANYAN_FUZZ"] != nil {
    package.targets.append(.executableTarget(name: "fuzz", dependencies: ["FuzzTargets"], path: "Fuzz/Driver"))
    package.products.append(.executable(name: "fuzz", targets: ["fuzz"]))
}

// The micro-benchmarks: `micro` does an operation so often, for scripts/micro.sh to count what that costs; with
// BANYAN_BENCHMARKS there are timings, too, which need a package that nothing else does.
if Context.environment["BANYAN_MICRO"] != nil || Context.environment["BANYAN_BENCHMARKS"] != nil {
    package.targets += [
        .target(
            name: "MicroOperations",
            dependencies: [
                "Aggregation", "ByteBuffers", "DistributedTracing", "FeatureFlags", "HTTP2Framing", "HTTPMessage",
                "JSON", "Routing", "Telemetry", "Upstreams",
            ], path: "Benchmarks/Micro/Operations"),
        .executableTarget(name: "micro", dependencies: ["MicroOperations"], path: "Benchmarks/Micro/Driver"),
    ]
    package.products.append(.executable(name: "micro", targets: ["micro"]))
}
if Context.environment["BANYAN_BENCHMARKS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []))
    package.targets.append(
        .executableTarget(
            name: "MicroTimings",
            dependencies: ["MicroOperations", .product(name: "Benchmark", package: "benchmark")],
            path: "Benchmarks/MicroTimings", plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]))
}

for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableExperimentalFeature("Lifetimes"),
        ]
}
