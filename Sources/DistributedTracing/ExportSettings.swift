import HTTPMessage

/// Where spans go, and how: what the configuration says, and the environment where the configuration is silent
/// (OpenTelemetry, environment variable specification; OTLP exporter configuration).
package struct ExportSettings: Equatable, Sendable {
    /// Where spans go.
    package enum Destination: Equatable, Sendable {
        case none
        /// A collector's URL for traces, by OTLP/HTTP.
        case collector(String)
        /// Standard output, an object of JSON a line.
        case standardOutput
    }

    package var destination = Destination.none
    /// Header fields of every request, `Authorization` for instance.
    package var headers: [Header] = []
    /// How long one attempt may take, in milliseconds.
    package var timeout: UInt64 = 10_000
    /// Whether requests are compressed; nil where nobody has said, and it depends on where the collector is.
    package var compresses: Bool?
    /// File of certificates to trust instead of the system's.
    package var authorities: String?
    /// Files for mutual TLS.
    package var certificate: String?
    package var key: String?
    /// The most spans that wait.
    package var queue = 32_768
    /// The most spans in one request, and how many make one due: four times what SDKs have, which export for one service. At
    /// many spans a second, what a request to the collector costs besides its bytes is more than the bytes.
    package var batch = 2_048
    /// How long spans wait for others at most, in milliseconds.
    package var delay: UInt64 = 1_000
    /// How long a batch is offered to the collector before it is given up, in milliseconds.
    package var patience: UInt64 = 30_000
    /// `service.name`.
    package var service = "banyan"
    /// Further attributes of the resource.
    package var attributes: [Attribute] = []

    /// A header field.
    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// An attribute of the resource.
    package struct Attribute: Equatable, Sendable {
        package var key: String
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// No export.
    package init() {}

    /// Whether requests to a collector on this host are compressed unless somebody says so: there is no network to spare,
    /// and compressing costs more than all the rest of a span.
    package static func compresses(to host: String) -> Bool {
        guard let address = IPAddress(Array(host.utf8).span) else { return host.lowercased() != "localhost" }
        let isLoopback = address.isIPv4 ? address.low >> 24 & 0xFF == 127 : address.high == 0 && address.low == 1
        return !isLoopback
    }

    /// All attributes of the resource, `service.name` first.
    package var resource: [(key: String, value: String)] {
        [("service.name", service)] + attributes.filter { $0.key != "service.name" }.map { ($0.key, $0.value) }
            + [("telemetry.sdk.name", "banyan"), ("telemetry.sdk.language", "swift")]
    }
}
