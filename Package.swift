// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "banyan",
    platforms: [.macOS(.v15)],
    targets: [
        .systemLibrary(name: "CLibuv", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]),
        .systemLibrary(
            name: "CLibcurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .target(name: "ByteBuffers"),
        .target(name: "HTTPMessage", dependencies: ["ByteBuffers"]),
        .target(name: "HTTPListener", dependencies: ["ByteBuffers", "EventLoops", "HTTPMessage"]),
        .target(name: "Upstreams", dependencies: ["ByteBuffers", "EventLoops", "HTTPMessage", "CLibcurl"]),
        .target(name: "EventLoops", dependencies: ["ByteBuffers", "CLibuv"]),
        .testTarget(name: "EventLoopsTests", dependencies: ["EventLoops"]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableExperimentalFeature("Lifetimes"),
    ]
}
