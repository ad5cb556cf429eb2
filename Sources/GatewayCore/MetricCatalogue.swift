import Telemetry

/// Every metric of the gateway: name, kind, meaning. docs/observability.md says when to look at which.
///
/// OpenTelemetry's names where it has one (semantic conventions for HTTP), as Prometheus writes them; `banyan_` before
/// everything else.
enum MetricCatalogue {
    // MARK: Requests

    static let requestDuration = MetricFamily(
        "http_server_request_duration_seconds", .histogram, unit: "seconds",
        "Time from the first byte of a request to the end of its answer.")
    static let activeRequests = MetricFamily(
        "http_server_active_requests", .gauge, "Requests in work, from the end of their heads on.")
    static let requestSize = MetricFamily(
        "http_server_request_body_size_bytes", .histogram, unit: "bytes", "Bodies of requests, without framing.")
    static let responseSize = MetricFamily(
        "http_server_response_body_size_bytes", .histogram, unit: "bytes", "Bodies of answers, without framing.")

    // MARK: Upstreams

    static let attemptDuration = MetricFamily(
        "http_client_request_duration_seconds", .histogram, unit: "seconds",
        "Time of one attempt at an upstream, from its start to the end of the answer, waiting for a connection included."
    )
    static let clientActive = MetricFamily(
        "http_client_active_requests", .gauge, "Attempts that are under way.")
    static let openConnections = MetricFamily(
        "http_client_open_connections", .gauge, "Connections to upstreams, in use or idle; within a second.")
    static let attempts = MetricFamily(
        "banyan_upstream_attempts_total", .counter, "Attempts at upstreams that were begun.")
    static let pending = MetricFamily(
        "banyan_upstream_pending_requests", .gauge, "Requests that wait for a connection; within a second.")
    static let timeouts = MetricFamily(
        "banyan_upstream_timeouts_total", .counter,
        "Attempts that were given up because their time was over, by which time.")

    static let retries = MetricFamily(
        "banyan_upstream_retries_total", .counter,
        "Failed attempts that were followed by another one at the same upstream, or the word for why not.")
    static let oldPathUsed = MetricFamily(
        "banyan_old_path_used_total", .counter,
        "Requests that a context's fallback was asked for, by the upstream that failed and the reason; budget: not asked."
    )
    static let endpoints = MetricFamily(
        "banyan_upstream_endpoints", .gauge, "Endpoints of an upstream, by whether they get requests, and why not.")
    static let breakers = MetricFamily(
        "banyan_circuit_breakers", .gauge, "Circuit breakers of an upstream and its endpoints, by where they are.")

    static let activePool = MetricFamily(
        "banyan_upstream_pool_active", .gauge, "1 for the pool of an upstream that gets its requests, 0 for the others."
    )
    static let panic = MetricFamily(
        "banyan_upstream_panic", .gauge,
        "1 where so few endpoints of an upstream are well that requests go to all of them, else 0.")
    static let probes = MetricFamily(
        "banyan_health_probes_total", .counter, "Health probes of an upstream's servers that are over, by result.")

    // MARK: Decisions and views

    static let decisions = MetricFamily("banyan_flag_decisions_total", .counter, "Decisions of flags for requests.")
    static let parts = MetricFamily(
        "banyan_aggregate_parts_total", .counter, "Parts of views: ok, or the word for why there was no value.")

    // MARK: Clients

    static let downstream = MetricFamily(
        "banyan_downstream_connections", .gauge, "Open connections of clients.")
    static let accepted = MetricFamily(
        "banyan_downstream_connections_accepted_total", .counter, "Connections that were accepted from clients.")
    static let cutOff = MetricFamily(
        "banyan_downstream_cut_off_total", .counter, "Clients of HTTP/2 that were cut off for a flood, by its kind.")
    static let handshakes = MetricFamily(
        "banyan_tls_handshakes_total", .counter, "TLS handshakes of clients: ok, or the word for why not.")
    static let acceptPauses = MetricFamily(
        "banyan_accept_pauses_total", .counter,
        "How often a worker stopped accepting: at its bound of connections, or because the system refused.")
    static let gaveWay = MetricFamily(
        "banyan_connections_gave_way_total", .counter,
        "Connections that waited for a request and were closed, at the bound, to let others in.")

    static let overloaded = MetricFamily(
        "banyan_overloaded", .gauge,
        "Whether new requests are refused: for memory 1 or 0, for lag how many workers do.")
    static let overloadRefused = MetricFamily(
        "banyan_overload_refused_total", .counter, "Requests that were refused because of an overload, by its reason.")

    // MARK: The process

    static let reloads = MetricFamily(
        "banyan_config_reloads_total", .counter, "Times that the configuration was read again, by result.")
    static let generation = MetricFamily(
        "banyan_config_generation", .gauge, "Which configuration is in force, counted from 1 since the start.")
    static let lastSuccess = MetricFamily(
        "banyan_config_last_reload_success_timestamp_seconds", .gauge, unit: "seconds",
        "When the configuration in force was read.")
    static let logLines = MetricFamily(
        "banyan_access_log_lines_total", .counter, "Lines of the access log that were written, or dropped.")
    static let spans = MetricFamily(
        "banyan_spans_total", .counter,
        "Spans that are over: exported, or lost to a full queue, a collector that refused them, or time.")
    static let waitingSpans = MetricFamily(
        "banyan_spans_waiting", .gauge, "Spans that wait for the collector, or are on their way to it.")
    static let certificates = MetricFamily(
        "banyan_certificate_expiry_timestamp_seconds", .gauge, unit: "seconds",
        "When the first certificate of a chain that clients are shown expires.")
    static let lag = MetricFamily(
        "banyan_event_loop_lag_seconds", .histogram, unit: "seconds",
        "How late the loop of a worker comes to what is due, looked at four times a second.")
    static let cpu = MetricFamily(
        "process_cpu_seconds_total", .counter, unit: "seconds", "Processor time of all threads.")
    static let memory = MetricFamily(
        "process_resident_memory_bytes", .gauge, unit: "bytes", "Memory that is resident.")
    static let openDescriptors = MetricFamily("process_open_fds", .gauge, "Open descriptors.")
    static let mostDescriptors = MetricFamily("process_max_fds", .gauge, "Descriptors that may be open.")
    static let start = MetricFamily(
        "process_start_time_seconds", .gauge, unit: "seconds", "When the process was started.")
    static let build = MetricFamily("banyan_build_info", .info, "The version.")
    static let target = MetricFamily("target_info", .info, "What is measured, as OpenTelemetry names it.")
}

/// The buckets.
enum MetricShapes {
    private static let second: UInt64 = 1_000_000_000

    private static func milliseconds(_ bounds: [UInt64]) -> [UInt64] { bounds.map { $0 * 1_000_000 } }

    /// The bounds that OpenTelemetry asks for, for both request durations.
    static let duration = HistogramShape(
        bounds: milliseconds([5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000]),
        scale: second, hasExemplars: true)
    static let size = HistogramShape(
        bounds: [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000], scale: 1)
    static let lag = HistogramShape(
        bounds: milliseconds([1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000]), scale: second)
}
