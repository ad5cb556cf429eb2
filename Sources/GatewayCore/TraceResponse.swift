import ByteBuffers
import DistributedTracing
import EventLoops
import GatewayConfig
import HTTPListener
import Telemetry

/// In which form answers tell clients of their trace.
enum TraceResponse: Sendable {
    case none
    /// As a metric of `Server-Timing`, beside what the time went by (W3C Trace Context §21, draft of level 3).
    case serverTiming
    /// In the field `traceresponse` of earlier drafts.
    case traceresponse

    /// The form of `section`.
    init(_ section: TracingSection.Response) {
        switch section {
        case .none: self = .none
        case .serverTiming: self = .serverTiming
        case .traceresponse: self = .traceresponse
        }
    }
}

/// Which answers bear what: compiled from `gateway.tracing` and the routes' own `traceResponse`.
struct TraceResponsePlan: Sendable {
    /// By the route's number.
    private let forms: [TraceResponse]
    /// For answers without a route.
    private let standard: TraceResponse
    /// Whether clients that are not trusted are told, too.
    private let tellsStrangers: Bool
    /// Whether no answer bears anything.
    private let isSilent: Bool

    /// The plan of `configuration`.
    init(_ configuration: GatewayConfiguration) {
        let tracing = configuration.gateway.tracing
        standard = TraceResponse(tracing.respond)
        forms = configuration.routes.map { TraceResponse($0.traceResponse ?? tracing.respond) }
        tellsStrangers = tracing.respondTo == .all
        isSilent = standard == .none && forms.allSatisfy { $0 == .none }
    }

    /// What an answer by the route with this number bears, -1 for none.
    func form(route: Int, peerIsTrusted: Bool) -> TraceResponse {
        if isSilent || !(peerIsTrusted || tellsStrangers) { return .none }
        return route >= 0 ? forms[route] : standard
    }
}

extension Exchange {
    /// Appends the field that tells the client of its trace, where it is to be told.
    func appendTraceResponse(to output: inout ByteBuffer) {
        guard let snapshot else { return }
        switch snapshot.traceResponse.form(route: route, peerIsTrusted: identity.peerIsTrusted) {
        case .none: return
        case .serverTiming:
            output.append("Server-Timing: trace;desc=")
            appendOwnParent(to: &output)
            appendTimings(to: &output)
        case .traceresponse:
            output.append("traceresponse: ")
            appendOwnParent(to: &output)
        }
        output.append("\r\n")
    }

    private func appendOwnParent(to output: inout ByteBuffer) {
        TraceParent(traceID: trace.traceID, spanID: trace.serverSpan.spanID, flags: trace.flags).write(to: &output)
    }

    /// Appends how long the answer took up to its head: at the upstream, where there is one, and all the rest.
    private func appendTimings(to output: inout ByteBuffer) {
        let whole = (upstreamHeadAt > 0 ? upstreamHeadAt : EventLoop.nanoseconds) &- receivedAt
        output.append(", gateway;dur=")
        output.appendMilliseconds(whole > upstreamTime ? whole - upstreamTime : 0)
        guard upstreamTime > 0 else { return }
        output.append(", upstream;dur=")
        output.appendMilliseconds(upstreamTime)
    }
}
