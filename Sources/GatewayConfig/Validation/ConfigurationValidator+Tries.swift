internal import JSON

/// Further tries that another limit keeps from ever being made.
extension ConfigurationValidator {
    /// What ends the wait for an answer's head, whatever the number of tries: the key, and after which time.
    private typealias Bound = (key: String, span: Milliseconds)

    func checkTries() {
        for upstream in configuration.upstreams {
            let place = JSONPointer(["upstreams", upstream.name])
            check(upstream.retry, upstream.hedge, place, bound(upstream.timeout, upstream.totalTimeout))
        }
        for route in configuration.routes {
            let place = JSONPointer(["routes", String(route.index)])
            switch route.action {
            case .forward(let forward): check(forward.retry, forward.hedge, place, bound(of: forward))
            case .aggregate(let view):
                for part in view.parts {
                    check(part.retry, nil, place.appending("aggregate").appending(part.name), bound(of: part))
                }
                if let base = view.base { check(base.retry, nil, place.appending("base"), bound(of: base)) }
            case .respond, .redirect: break
            }
        }
    }

    private func check(_ retry: RetrySection?, _ hedge: HedgeSection?, _ place: JSONPointer, _ bound: Bound?) {
        guard let bound else { return }
        let message = "never reached: \"\(bound.key)\" is over after \(bound.span)"
        if let limit = retry?.tryTimeout.milliseconds, limit > bound.span {
            session.warn(place.appending("retry").appending("tryTimeout"), message)
        }
        if case .after(let span) = hedge, span >= bound.span {
            session.warn(place.appending("hedge").appending("after"), message)
        }
    }

    private func bound(_ timeout: TimeLimit, _ totalTimeout: TimeLimit) -> Bound? {
        let bounds: [Bound] = [("timeout", timeout), ("totalTimeout", totalTimeout)].compactMap { key, limit in
            limit.milliseconds.map { (key, $0) }
        }
        return bounds.min { $0.span < $1.span }
    }

    /// The longest wait at any upstream that the route leads to; nil where one of them may take for ever.
    private func bound(of forward: ForwardSection) -> Bound? {
        let names = configuration.contexts.first { $0.name == forward.to }?.upstreams.map(\.name) ?? [forward.to]
        var longest: Bound?
        for upstream in configuration.upstreams where names.contains(upstream.name) {
            guard
                let bound = bound(
                    forward.timeout ?? upstream.timeout, forward.totalTimeout ?? upstream.totalTimeout)
            else { return nil }
            if longest.map({ $0.span < bound.span }) ?? true { longest = bound }
        }
        return longest
    }

    private func bound(of part: PartSection) -> Bound { ("timeout", part.timeout) }
}
