import ByteBuffers
import DistributedTracing
import HTTPListener
import HTTPMessage
import Routing

/// The one place that maps a cause to an answer (http-behaviour §1).
package struct FailureResponse: Equatable, Sendable {
    /// The status; 499 is for the log only, nobody is left to read it.
    package var status: UInt16
    /// A fixed sentence for the client.
    package var detail: StaticString
    /// Seconds after which trying again makes sense.
    package var retryAfter: UInt32?

    package static func == (left: FailureResponse, right: FailureResponse) -> Bool {
        left.status == right.status && left.retryAfter == right.retryAfter
    }

    /// The answer for `cause`.
    package init(for cause: Cause) {
        switch cause {
        case .noRoute: self.init(404, "no route matches the path")
        case .methodNotAllowed: self.init(405, "the resource does not support the method")
        case .badRequest: self.init(400, "the request is malformed")
        case .uriTooLong: self.init(414, "the request target is too long")
        case .headersTooLarge: self.init(431, "the request head is too large")
        case .bodyTooLarge: self.init(413, "the request body is too large")
        case .requestTimeout: self.init(408, "the request did not arrive in time")
        case .unsupportedVersion: self.init(505, "the HTTP version is not supported")
        case .unsupportedExpectation: self.init(417, "the expectation is not supported")
        case .loopDetected: self.init(508, "the request has passed this gateway before")
        case .misdirectedRequest: self.init(421, "the host is not served on this connection")
        case .notAcceptable: self.init(406, "the answer would be JSON, which the request does not accept")
        case .unsupportedMediaType: self.init(415, "the request body is not declared as JSON")
        case .invalidBody: self.init(400, "the request body is not valid JSON")
        case .connectFailed: self.init(502, "the service could not be reached")
        case .dnsFailed: self.init(502, "the service has no address")
        case .tlsFailed: self.init(502, "no secure connection to the service could be made")
        case .upstreamClosed: self.init(502, "the service closed the connection before it answered")
        case .upstreamProtocol: self.init(502, "the service gave an answer that is not HTTP")
        case .upstreamTimeout: self.init(504, "the service did not answer in time")
        case .upstreamTruncated: self.init(502, "the answer of the service is not whole")
        case .upstreamOverloaded: self.init(503, "the service has as many requests as it may have", retryAfter: 1)
        case .circuitOpen: self.init(503, "the service has failed too often and is left alone", retryAfter: 1)
        case .noHealthyEndpoint: self.init(503, "no server of the service is well", retryAfter: 1)
        case .overloaded: self.init(503, "the gateway has too much to do", retryAfter: 1)
        case .partFailed: self.init(502, "a part of the view failed")
        case .missingInput: self.init(502, "a part of the view lacks its input")
        case .clientClosed: self.init(499, "the client closed the connection")
        case .shuttingDown: self.init(503, "the gateway is shutting down", retryAfter: 1)
        case .internalError: self.init(500, "the gateway failed")
        }
    }

    private init(_ status: UInt16, _ detail: StaticString, retryAfter: UInt32? = nil) {
        self.status = status
        self.detail = detail
        self.retryAfter = retryAfter
    }
}

extension Exchange {
    /// Answers with a problem document for `cause`, if an answer can still be given; cuts off one that has begun.
    ///
    /// - Parameters:
    ///   - status: replaces the cause's own status: a view passes on that of a part.
    ///   - detail: replaces the cause's own sentence.
    ///   - retryAfter: when trying again makes sense, in seconds, where that is known.
    func fail(_ cause: Cause, status: UInt16? = nil, detail: StaticString? = nil, retryAfter: UInt32? = nil) {
        if self.cause == nil { self.cause = cause }
        guard canRespond else {
            abortResponse()
            return
        }
        let answer = FailureResponse(for: cause)
        let status = status ?? answer.status
        worker.draft { body, id in
            appendRequestID(to: &id)
            ProblemDocument.append(
                cause: cause.name, status: status, detail: detail ?? answer.detail, requestID: id.span,
                traceID: (trace.traceID.high, trace.traceID.low), into: &body)
            reportedView?.appendReport(toDocument: &body)
            beginHead(status: status)
            output.append("Content-Type: application/problem+json\r\n")
            // Clients may take it for leave to repeat the request, and do so by themselves.
            if let seconds = retryAfter ?? answer.retryAfter, reportedView?.mayHaveWritten != true {
                output.append("Retry-After: ")
                output.appendDecimal(seconds)
                output.append("\r\n")
            }
            if cause == .methodNotAllowed { appendAllow() }
            reportedView?.appendReport(to: &output)
            appendOwnFields()
            if head.method == .head {
                endHead(.none(declared: UInt64(body.count)))
            } else {
                endHead(.length(UInt64(body.count)))
                write(body.span)
            }
        }
        endResponse()
    }

    private func appendAllow() {
        guard let snapshot, let allowed else { return }
        output.append("Allow: ")
        snapshot.routes.appendAllow(allowed, to: &output)
        output.append("\r\n")
    }
}
