/// The environment variables of OpenTelemetry that an exporter of traces has to heed
/// (OpenTelemetry specification, environment variables; OTLP exporter).
///
/// An empty variable is as good as none. A value that makes no sense is left out with a warning (§Parsing).
package struct OpenTelemetryEnvironment {
    /// What the variables say, over the defaults.
    package private(set) var settings = ExportSettings()
    /// The share of traces that begin here, where `OTEL_TRACES_SAMPLER` names it; nil where it does not.
    package private(set) var sampleRatio: Double?
    /// The formats of `OTEL_PROPAGATORS` that are written here; nil where it is silent.
    package private(set) var propagators: [String]?
    /// Variables that were left out, and why.
    package private(set) var warnings: [String] = []

    private let variables: [String: String]

    /// Reads the variables.
    package init(_ variables: [String: String]) {
        self.variables = variables
        // Contexts are passed on even where nothing is recorded.
        readPropagators()
        if flag("OTEL_SDK_DISABLED") { return }
        readResource()
        readDestination()
        readExporter()
        readBatches()
        readSampler()
    }

    private func value(_ name: String) -> String? {
        guard let text = variables[name], !text.isEmpty else { return nil }
        return text
    }

    /// The variable for traces, or the one for all signals.
    private func option(_ name: String) -> String? {
        value("OTEL_EXPORTER_OTLP_TRACES_\(name)") ?? value("OTEL_EXPORTER_OTLP_\(name)")
    }

    private func flag(_ name: String) -> Bool { value(name)?.lowercased() == "true" }

    private mutating func warn(_ name: String, _ problem: String) {
        warnings.append("\(name) is left out: \(problem)")
    }

    private mutating func readPropagators() {
        guard let text = value("OTEL_PROPAGATORS") else { return }
        var found: [String] = []
        for name in text.split(separator: ",").map({ String(Self.trimmed($0)) }) where !found.contains(name) {
            switch name {
            case "tracecontext", "baggage", "b3", "b3multi": found.append(name)
            case "none": break
            default: warn("OTEL_PROPAGATORS", "\"\(name)\" is none of tracecontext, baggage, b3, b3multi and none")
            }
        }
        propagators = found
    }

    private mutating func readResource() {
        for pair in pairs("OTEL_RESOURCE_ATTRIBUTES") {
            if pair.key == "service.name" {
                settings.service = pair.value
            } else {
                settings.attributes.append(ExportSettings.Attribute(key: pair.key, value: pair.value))
            }
        }
        if let service = value("OTEL_SERVICE_NAME") { settings.service = service }
    }

    private mutating func readDestination() {
        switch value("OTEL_TRACES_EXPORTER") ?? "otlp" {
        case "none": return
        case "console": settings.destination = .standardOutput
        case "otlp":
            // The one for traces is used as it is; the other one is a base.
            if let url = value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
                settings.destination = .collector(url)
            } else if let base = value("OTEL_EXPORTER_OTLP_ENDPOINT") {
                settings.destination = .collector(Self.tracesURL(base))
            }
        case let other: warn("OTEL_TRACES_EXPORTER", "\"\(other)\" is none of otlp, console and none")
        }
        if let name = option("PROTOCOL"), name != "http/protobuf" {
            warn("OTEL_EXPORTER_OTLP_PROTOCOL", "\"\(name)\" is not spoken here, http/protobuf is")
        }
    }

    /// Where traces go at a collector whose base URL is `base`.
    package static func tracesURL(_ base: String) -> String {
        base.hasSuffix("/") ? base + "v1/traces" : base + "/v1/traces"
    }

    private mutating func readExporter() {
        for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
            for pair in pairs(name) {
                settings.headers.removeAll { $0.name.lowercased() == pair.key.lowercased() }
                settings.headers.append(ExportSettings.Header(name: pair.key, value: pair.value))
            }
        }
        switch option("COMPRESSION") {
        case nil: break
        case "gzip": settings.compresses = true
        case "none": settings.compresses = false
        case let other?: warn("OTEL_EXPORTER_OTLP_COMPRESSION", "\"\(other)\" is neither gzip nor none")
        }
        if let text = option("TIMEOUT") {
            if let number = UInt64(text), number > 0 {
                settings.timeout = number
            } else {
                warn("OTEL_EXPORTER_OTLP_TIMEOUT", "\"\(text)\" is not a number of milliseconds")
            }
        }
        settings.authorities = option("CERTIFICATE")
        settings.certificate = option("CLIENT_CERTIFICATE")
        settings.key = option("CLIENT_KEY")
    }

    private mutating func readBatches() {
        settings.queue = number("OTEL_BSP_MAX_QUEUE_SIZE", 1...10_000_000) ?? settings.queue
        settings.batch = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1...100_000) ?? settings.batch
        settings.delay = number("OTEL_BSP_SCHEDULE_DELAY", 1...3_600_000).map(UInt64.init) ?? settings.delay
        settings.patience = number("OTEL_BSP_EXPORT_TIMEOUT", 1...3_600_000).map(UInt64.init) ?? settings.patience
        settings.batch = min(settings.batch, settings.queue)
    }

    private mutating func number(_ name: String, _ range: ClosedRange<Int>) -> Int? {
        guard let text = value(name) else { return nil }
        if let number = Int(text), range.contains(number) { return number }
        warn(name, "\"\(text)\" is not a number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    private mutating func readSampler() {
        guard let name = value("OTEL_TRACES_SAMPLER") else { return }
        switch name {
        case "always_on", "parentbased_always_on": sampleRatio = 1
        case "always_off", "parentbased_always_off": sampleRatio = 0
        case "traceidratio", "parentbased_traceidratio":
            let text = value("OTEL_TRACES_SAMPLER_ARG") ?? "1"
            if let ratio = Double(text), (0...1).contains(ratio) {
                sampleRatio = ratio
            } else {
                warn("OTEL_TRACES_SAMPLER_ARG", "\"\(text)\" is not a number from 0 to 1")
            }
        default: warn("OTEL_TRACES_SAMPLER", "\"\(name)\" is not known here")
        }
    }

    /// The pairs of a variable that is written like baggage: `key=value,key2=value2`, percent-encoded.
    private mutating func pairs(_ name: String) -> [(key: String, value: String)] {
        guard let text = value(name) else { return [] }
        var found: [(String, String)] = []
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.trimmed)
            guard sides.count == 2, !sides[0].isEmpty, let key = Self.decoded(sides[0]),
                let value = Self.decoded(sides[1])
            else {
                warn(name, "it is not written key=value,key=value")
                return []
            }
            found.append((key, value))
        }
        return found
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
