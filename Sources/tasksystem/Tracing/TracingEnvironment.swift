import Foundation

/// What the environment says about spans (OpenTelemetry specification, environment variables; OTLP exporter).
///
/// An empty variable is as good as none. One that makes no sense is left out, and ``notices`` has a line about it.
struct TracingEnvironment {
    /// Where spans go; nil records none.
    private(set) var export: ExportSettings?
    private(set) var sampler = TraceSampler.standard
    /// What whoever starts the process should know.
    private(set) var notices: [String] = []

    private let variables: [String: String]

    /// - Parameter service: the `service.name` where the environment has none.
    init(_ variables: [String: String], service: String) {
        self.variables = variables
        guard value("OTEL_SDK_DISABLED")?.lowercased() != "true" else { return }
        switch value("OTEL_TRACES_EXPORTER") ?? "otlp" {
        case "none": return
        case "otlp": break
        case let other: notice("OTEL_TRACES_EXPORTER", "\"\(other)\" is neither otlp nor none")
        }
        guard var settings = destination() else { return }
        settings.headers = headers()
        settings.resource = resource(service: service)
        settings.timeout = milliseconds(option("TIMEOUT")) ?? settings.timeout
        settings.delay = milliseconds("OTEL_BSP_SCHEDULE_DELAY") ?? settings.delay
        settings.queue = number("OTEL_BSP_MAX_QUEUE_SIZE", in: 1...100_000) ?? settings.queue
        settings.batch = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", in: 1...512) ?? settings.batch
        settings.batch = min(settings.batch, settings.queue)
        if let spoken = value(option("PROTOCOL")), !spoken.hasPrefix("http/") {
            notice(option("PROTOCOL"), "\"\(spoken)\" is not spoken here, http/json is")
        }
        sampler = readSampler()
        export = settings
    }

    private func value(_ name: String) -> String? {
        guard let text = variables[name], !text.isEmpty else { return nil }
        return text
    }

    /// The variable for traces if it is set, else the one for all signals.
    private func option(_ name: String) -> String {
        let special = "OTEL_EXPORTER_OTLP_TRACES_\(name)"
        return value(special) == nil ? "OTEL_EXPORTER_OTLP_\(name)" : special
    }

    private mutating func notice(_ name: String, _ problem: String) {
        notices.append("\(name) is left out: \(problem)")
    }

    // MARK: - Where to

    private mutating func destination() -> ExportSettings? {
        let name = option("ENDPOINT")
        guard let text = value(name) else { return nil }
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(),
            let host = url.host?.trimmingCharacters(in: ["[", "]"]), !host.isEmpty, url.user == nil,
            url.password == nil,
            scheme == "http" || scheme == "https", (1...65535).contains(url.port ?? 80)
        else {
            notice(name, "it is no URL like http://127.0.0.1:4318; no spans are exported")
            return nil
        }
        guard scheme == "http" else {
            notice(name, "https is not served here, only http; no spans are exported")
            return nil
        }
        var path = url.percentEncodedPath
        if name.contains("TRACES") {
            // Used as it is.
            if path.isEmpty { path = "/" }
        } else {
            path += path.hasSuffix("/") ? "v1/traces" : "/v1/traces"
        }
        let query = url.percentEncodedQuery.map { "?\($0)" } ?? ""
        return ExportSettings(host: host, port: url.port ?? 80, target: path + query)
    }

    private mutating func headers() -> [ExportSettings.Pair] {
        var all: [ExportSettings.Pair] = []
        for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
            let found = pairs(name)
            // The value may be a secret, so the line does not repeat it.
            guard found.allSatisfy({ Self.isToken($0.name) && Self.isFieldValue($0.value) }) else {
                notice(name, "it is no list of header fields")
                continue
            }
            for pair in found {
                all.removeAll { $0.name.lowercased() == pair.name.lowercased() }
                all.append(pair)
            }
        }
        return all
    }

    private static func isToken(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            return isLetter || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }
    }

    // MARK: - Who

    private mutating func resource(service: String) -> [ExportSettings.Pair] {
        var told = pairs("OTEL_RESOURCE_ATTRIBUTES")
        // Of what is said twice the last counts, as in a dictionary.
        var names = Set<String>()
        told = told.reversed().filter { names.insert($0.name).inserted }.reversed()
        let name = value("OTEL_SERVICE_NAME") ?? told.first { $0.name == "service.name" }?.value ?? service
        let own = [
            ("service.name", name), ("telemetry.sdk.name", "tasksystem"), ("telemetry.sdk.language", "swift"),
        ].map { ExportSettings.Pair(name: $0.0, value: $0.1) }
        return own + told.filter { pair in !own.contains { $0.name == pair.name } }
    }

    /// A list `name=value,name=value`, percent-encoded as in baggage.
    private mutating func pairs(_ variable: String) -> [ExportSettings.Pair] {
        guard let text = value(variable) else { return [] }
        var found: [ExportSettings.Pair] = []
        for part in text.split(separator: ",") where !part.allSatisfy(\.isWhitespace) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces).removingPercentEncoding }
            guard sides.count == 2, let name = sides[0], !name.isEmpty, let value = sides[1] else {
                notice(variable, "it is not written name=value,name=value")
                return []
            }
            found.append(ExportSettings.Pair(name: name, value: value))
        }
        return found
    }

    // MARK: - How much

    private mutating func readSampler() -> TraceSampler {
        switch value("OTEL_TRACES_SAMPLER") {
        case nil, "parentbased_always_on": return .standard
        case "always_on": return TraceSampler(followsParent: false, share: 1)
        case "always_off": return TraceSampler(followsParent: false, share: 0)
        case "parentbased_always_off": return TraceSampler(followsParent: true, share: 0)
        case "traceidratio": return TraceSampler(followsParent: false, share: share())
        case "parentbased_traceidratio": return TraceSampler(followsParent: true, share: share())
        case let other?:
            notice("OTEL_TRACES_SAMPLER", "\"\(other)\" is not known here")
            return .standard
        }
    }

    private mutating func share() -> Double {
        let name = "OTEL_TRACES_SAMPLER_ARG"
        guard let text = value(name) else { return 1 }
        if let share = Double(text), (0...1).contains(share) { return share }
        notice(name, "\"\(text)\" is not a number from 0 to 1")
        return 1
    }

    private mutating func milliseconds(_ name: String) -> Duration? {
        number(name, in: 1...3_600_000).map { .milliseconds($0) }
    }

    private mutating func number(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = value(name) else { return nil }
        if let number = Int(text), range.contains(number) { return number }
        notice(name, "\"\(text)\" is not a number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }
}
