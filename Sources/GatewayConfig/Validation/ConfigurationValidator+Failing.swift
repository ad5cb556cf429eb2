internal import JSON

/// What is meant for failing servers and cannot do what it says.
extension ConfigurationValidator {
    func checkFailing() {
        for upstream in configuration.upstreams {
            checkHealth(of: upstream, JSONPointer(["upstreams", upstream.name]))
        }
    }

    private func checkHealth(of upstream: UpstreamSection, _ place: JSONPointer) {
        guard let health = upstream.health else { return }
        let place = place.appending("health")
        if health.type == .grpc, upstream.protocol != .h2 {
            session.report(
                place.appending("type"),
                "a gRPC probe needs the protocol \"h2\", and this upstream speaks \"\(upstream.protocol.rawValue)\"")
        }
        if health.timeout > health.interval {
            session.warn(
                place.appending("timeout"), "a probe may take longer than \"interval\", \(health.interval)")
        }
    }
}
