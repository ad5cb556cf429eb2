/// Where spans go, and how.
struct ExportSettings: Equatable, Sendable {
    /// The host of the collector, without brackets.
    var host: String
    var port: Int
    /// The path, with a query if there is one.
    var target: String
    /// Fields beside our own, as names and values.
    var headers: [Pair] = []
    /// What is said of this process, `service.name` first.
    var resource: [Pair] = []
    /// How long one request to the collector may take.
    var timeout = Duration.seconds(10)
    /// The spans that wait at most.
    var queue = 2048
    /// The spans of one request.
    var batch = 512
    /// How long a span waits for others. OpenTelemetry has 5 s; with one second a trace is there when it is looked for.
    var delay = Duration.seconds(1)
    /// How long a batch is tried again.
    var patience = Duration.seconds(30)

    /// A name and what it stands for.
    struct Pair: Equatable, Sendable {
        var name: String
        var value: String
    }

    var url: String { "http://\(authority)\(target)" }

    /// The value of `Host`.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
