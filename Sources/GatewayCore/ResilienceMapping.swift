import GatewayConfig
import Upstreams

// From the sections of the configuration that keep upstreams from harm to the types that decide.

extension RetryRules {
    /// The rules of `retry`.
    init(_ section: RetrySection) {
        var conditions = RetryConditions()
        for condition in section.conditions {
            switch condition {
            case .connectFailure: conditions.insert(.connectFailure)
            case .refusedStream: conditions.insert(.refusedStream)
            case .reset: conditions.insert(.reset)
            case .timeout: conditions.insert(.timeout)
            case .badGateway: conditions.insert(.status502)
            case .unavailable: conditions.insert(.status503)
            case .gatewayTimeout: conditions.insert(.status504)
            }
        }
        policy.on = conditions
        policy.attempts = section.attempts
        policy.backoff = Backoff(base: section.backoff.base.value, most: section.backoff.max.value)
        budget = RequestBudget(share: section.budget, minimum: section.budgetMinimum)
        tryTimeout = section.tryTimeout.limit
    }
}

extension HedgeRule {
    /// The rule of `hedge`; nil where it is off.
    init?(_ section: HedgeSection) {
        switch section {
        case .off: return nil
        case .percentile(let percent): self = .percentile(percent)
        case .after(let time): self = .after(time.value)
        }
    }
}

extension UpstreamRules {
    /// The rules of `section`.
    init(_ section: UpstreamSection) {
        self.init()
        // Where there is one server only, nobody could be asked in its place; a name may turn out to be several.
        if section.activeServers.count > 1 || section.activeServers.contains(where: { $0.url.isName }) {
            outlier = section.outlier.map { OutlierDetector($0) }
        }
        if let breaker = section.breaker {
            self.breaker = CircuitBreaker(breaker)
            switch breaker.scope {
            case .upstream: breakerScope = .upstream
            case .endpoint: breakerScope = .endpoint
            case .both: breakerScope = .both
            }
        }
        adaptive = section.adaptiveLimit.map {
            AdaptiveLimit.Policy(least: $0.min, most: $0.max, initial: $0.start, leastGap: 10_000)
        }
        panic = PanicRule(threshold: section.panicThreshold)
        slowStart = SlowStart(window: section.slowStart.milliseconds?.value ?? 0)
    }
}

extension OutlierDetector {
    /// The rules of `outlier`.
    init(_ section: OutlierSection) {
        self.init()
        consecutive5xx = UInt32(clamping: section.consecutive5xx)
        consecutiveGatewayFailures = UInt32(clamping: section.consecutiveGatewayFailures)
        interval = section.interval.value
        baseEjection = section.baseEjection.value
        mostEjection = section.maxEjection.value
        mostEjected = section.maxEjected
        minimumServers = section.successRate?.minServers ?? 0
        if let rate = section.successRate {
            minimumRequests = rate.minRequests
            deviations = rate.deviations
        }
        latencyFactor = section.latency?.factor ?? 0
        if let latency = section.latency { minimumRequests = min(minimumRequests, latency.minRequests) }
    }
}

extension CircuitBreaker {
    /// The rules of `breaker`.
    init(_ section: BreakerSection) {
        let slowAfter = section.slowAfter.milliseconds?.value
        self.init(
            failureRate: section.failureRate, slowRate: slowAfter == nil ? nil : section.slowRate,
            slowAfter: slowAfter ?? 0, minimumRequests: section.minRequests, window: section.window.value,
            openTime: section.openTime.value, mostOpenTime: section.maxOpenTime.value, probes: section.probes)
    }
}

extension FallbackRules {
    /// The rules of `section`, whose upstream has this number.
    init(_ section: FallbackSection, upstream: Int) {
        self.init(
            upstream, budget: RequestBudget(share: section.budget, minimum: section.minimum),
            besides: section.statuses.compactMap { FallbackReason(status: UInt16(clamping: $0.code)) })
    }
}

extension HealthCheck {
    /// The rules of `health` of an upstream.
    init(_ section: HealthSection, of upstream: UpstreamSection) {
        switch section.type {
        case .http:
            self.init(
                .http(
                    path: Array(section.path.utf8),
                    statuses: section.statuses.map { UInt16(clamping: $0.first)...UInt16(clamping: $0.last) },
                    text: Array((section.body ?? "").utf8)))
        case .tcp: self.init(.connection)
        case .grpc: self.init(.grpc(service: Array((section.service ?? "").utf8)))
        }
        if let host = section.host {
            self.host = Array(host.utf8)
        } else if case .fixed(let name) = upstream.host {
            host = Array(name.utf8)
        }
        schedule = ProbeSchedule(interval: section.interval.value)
        timeout = section.timeout.value
        thresholds = HealthRecord.Thresholds(healthy: section.healthy, unhealthy: section.unhealthy)
    }
}
