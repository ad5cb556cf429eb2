// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "banyan",
    platforms: [.macOS(.v15)],
    targets: [
        .target(name: "ByteBuffers")
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
