import HTTPListener
import HTTPMessage
import Upstreams

/// Why a request did not get the answer it was sent for: the one bounded word that metrics, logs, spans and problem
/// documents use (http-behaviour §1).
package enum Cause: UInt8, CaseIterable, Sendable {
    case noRoute, methodNotAllowed, badRequest, uriTooLong, headersTooLarge, bodyTooLarge, requestTimeout
    case unsupportedVersion, unsupportedExpectation, loopDetected, misdirectedRequest, notAcceptable
    case unsupportedMediaType, invalidBody
    case connectFailed, dnsFailed, tlsFailed, upstreamClosed, upstreamProtocol, upstreamTimeout, upstreamTruncated
    case upstreamOverloaded, partFailed, missingInput, clientClosed, shuttingDown, internalError
    case circuitOpen, noHealthyEndpoint, overloaded

    /// The word.
    package var name: StaticString {
        switch self {
        case .noRoute: "no_route"
        case .methodNotAllowed: "method_not_allowed"
        case .badRequest: "bad_request"
        case .uriTooLong: "uri_too_long"
        case .headersTooLarge: "headers_too_large"
        case .bodyTooLarge: "body_too_large"
        case .requestTimeout: "request_timeout"
        case .unsupportedVersion: "unsupported_version"
        case .unsupportedExpectation: "unsupported_expectation"
        case .loopDetected: "loop_detected"
        case .misdirectedRequest: "misdirected_request"
        case .notAcceptable: "not_acceptable"
        case .unsupportedMediaType: "unsupported_media_type"
        case .invalidBody: "invalid_body"
        case .connectFailed: "connect_failed"
        case .dnsFailed: "dns_failed"
        case .tlsFailed: "tls_failed"
        case .upstreamClosed: "upstream_closed"
        case .upstreamProtocol: "upstream_protocol"
        case .upstreamTimeout: "upstream_timeout"
        case .upstreamTruncated: "upstream_truncated"
        case .upstreamOverloaded: "upstream_overloaded"
        case .partFailed: "part_failed"
        case .missingInput: "missing_input"
        case .clientClosed: "client_closed"
        case .shuttingDown: "shutting_down"
        case .internalError: "internal"
        case .circuitOpen: "circuit_open"
        case .noHealthyEndpoint: "no_healthy_endpoint"
        case .overloaded: "overloaded"
        }
    }

    /// The cause of a refused request head or body.
    init(_ refusal: RequestError.Cause) {
        switch refusal {
        case .badRequest: self = .badRequest
        case .uriTooLong: self = .uriTooLong
        case .headersTooLarge: self = .headersTooLarge
        case .unsupportedVersion: self = .unsupportedVersion
        case .unsupportedExpectation: self = .unsupportedExpectation
        }
    }

    /// The cause of a failed attempt.
    init(_ failure: UpstreamFailure) {
        switch failure {
        case .connectFailed: self = .connectFailed
        case .dnsFailed: self = .dnsFailed
        case .tlsFailed: self = .tlsFailed
        case .closed: self = .upstreamClosed
        case .protocolError: self = .upstreamProtocol
        case .connectTimeout, .timeout: self = .upstreamTimeout
        case .overloaded: self = .upstreamOverloaded
        case .truncated: self = .upstreamTruncated
        }
    }
}
