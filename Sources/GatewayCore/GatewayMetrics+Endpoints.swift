import Telemetry
import Upstreams

// What boards know, as figures. Every upstream has every state, 0 where nothing is in it: a query need not know which
// of them there were.

extension GatewayMetrics {
    func writeEndpoints(_ text: inout MetricsText, _ upstreams: [UpstreamReport]) {
        text.write(
            MetricCatalogue.endpoints,
            upstreams.flatMap { upstream in
                EndpointState.allCases.map { state in
                    Self.sample(
                        upstream, "state", "\(state.word)", upstream.endpoints.count { $0.state == state })
                }
            })
        text.write(
            MetricCatalogue.breakers,
            upstreams.flatMap { upstream in
                let breakers = [upstream.breaker].compactMap { $0 } + upstream.endpoints.compactMap(\.breaker)
                return breakers.isEmpty
                    ? []
                    : CircuitBreaker.State.Phase.all.map { phase in
                        Self.sample(upstream, "state", "\(phase.word)", breakers.count { $0.phase == phase })
                    }
            })
        text.write(
            MetricCatalogue.activePool,
            upstreams.flatMap { upstream in
                (upstream.pools?.pools ?? []).map { pool in
                    Self.sample(upstream, "pool", pool.name, pool.name == upstream.pools?.active ? 1 : 0)
                }
            })
        text.write(
            MetricCatalogue.panic,
            upstreams.map {
                MetricSample([MetricLabel("upstream", $0.name)], .whole($0.isPanic ? 1 : 0))
            })
    }

    private static func sample(
        _ upstream: UpstreamReport, _ label: String, _ value: String, _ count: Int
    ) -> MetricSample {
        MetricSample(
            [MetricLabel("upstream", upstream.name), MetricLabel(label, value)], .whole(UInt64(clamping: count)))
    }
}
