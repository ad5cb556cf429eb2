/// How an upstream is kept from harm, and its clients from its failures: compiled from the configuration.
package struct UpstreamRules: Equatable, Sendable {
    /// Where a breaker stands.
    package enum BreakerScope: Equatable, Sendable {
        /// Before the whole upstream.
        case upstream
        /// Before each of its servers.
        case endpoint
        case both
    }

    /// When endpoints are ejected; nil: never.
    package var outlier: OutlierDetector?
    /// When requests are refused at once; nil: never.
    package var breaker: CircuitBreaker?
    package var breakerScope = BreakerScope.upstream
    /// When the state of endpoints is ignored.
    package var panic = PanicRule()
    /// How an endpoint gets its share that is new or came back.
    package var slowStart = SlowStart()
    /// How many requests may be repeated at a time.
    package var retryBudget = RequestBudget()
    /// How far each class of requests may fill the upstream.
    package var shares = ClassShares()

    /// How the number of requests is learned that the upstream takes; nil: it is fixed.
    package var adaptive: AdaptiveLimit.Policy?

    /// No breaker, no ejections.
    package init() {}

    /// Whether it matters what comes of attempts.
    var watchesAttempts: Bool { outlier != nil || breaker != nil }
    var upstreamBreaker: CircuitBreaker? { breakerScope == .endpoint ? nil : breaker }
    var endpointBreaker: CircuitBreaker? { breakerScope == .upstream ? nil : breaker }
}
