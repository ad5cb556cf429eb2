// What the control plane shows of boards.

/// Whether an endpoint should get requests, and why not.
package enum EndpointState: UInt8, CaseIterable, Sendable {
    /// It gets its share.
    case available
    /// Active checks have found it unwell.
    case unhealthy
    /// It is ejected for a while, because requests to it failed.
    case ejected
    /// Its own breaker is open.
    case circuitOpen

    /// The word for figures and pages.
    package var word: StaticString {
        switch self {
        case .available: "available"
        case .unhealthy: "unhealthy"
        case .ejected: "ejected"
        case .circuitOpen: "circuit_open"
        }
    }
}

extension CircuitBreaker.State.Phase {
    /// All of them.
    package static var all: [Self] { [.closed, .open, .halfOpen] }

    /// The word for figures and pages.
    package var word: StaticString {
        switch self {
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half_open"
        }
    }
}

extension EndpointBoard {
    /// Whether it should get requests, and why not: the first reason of several.
    package func state(at now: UInt64, by rules: UpstreamRules) -> EndpointState {
        if isUnhealthy { return .unhealthy }
        if ejectionLeft(at: now) != nil { return .ejected }
        return isAvailable(at: now, by: rules) ? .available : .circuitOpen
    }

    /// Where its breaker is; nil where it has none.
    package func breakerState(by rules: UpstreamRules) -> CircuitBreaker.State? {
        rules.endpointBreaker == nil ? nil : breaker.current
    }
}

extension UpstreamBoard {
    /// Where the breaker before all endpoints is; nil where there is none.
    package func breakerState(by rules: UpstreamRules) -> CircuitBreaker.State? {
        rules.upstreamBreaker == nil ? nil : breaker.current
    }
}
