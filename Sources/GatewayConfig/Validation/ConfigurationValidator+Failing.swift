internal import JSON

/// What is meant for failing servers and cannot do what it says.
extension ConfigurationValidator {
    func checkFailing() {
        for upstream in configuration.upstreams {
            let place = JSONPointer(["upstreams", upstream.name])
            checkHealth(of: upstream, place)
            checkBreaker(of: upstream, place)
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

    private func checkBreaker(of upstream: UpstreamSection, _ place: JSONPointer) {
        guard let breaker = upstream.breaker else { return }
        let place = place.appending("breaker")
        guard let slow = breaker.slowAfter.milliseconds else {
            if breaker.slowRate < 1 {
                session.warn(place.appending("slowRate"), "without effect: \"slowAfter\" says which calls are slow")
            }
            return
        }
        if let timeout = upstream.timeout.milliseconds, slow > timeout {
            session.warn(
                place.appending("slowAfter"),
                "never reached: \"timeout\" is over after \(timeout), which counts as a failure")
        }
    }
}
