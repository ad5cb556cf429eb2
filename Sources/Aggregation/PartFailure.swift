/// Why a part has no value. Bounded: the words are metric labels, log fields and the `reason` of `Banyan-Partial`.
package struct PartFailure: Equatable, Sendable, BitwiseCopyable {
    package enum Reason: UInt8, CaseIterable, Sendable, BitwiseCopyable {
        /// No answer in the part's time, or in the view's.
        case timeout
        case connectFailed
        case dnsFailed
        case tlsFailed
        case upstreamClosed
        case upstreamProtocol
        case upstreamTruncated
        case upstreamOverloaded
        case circuitOpen
        case noHealthyEndpoint
        /// An answer whose status is not 200...299.
        case badStatus
        /// An answer that says by its `Content-Type` that it is not JSON, or not in UTF-8.
        case notJSON
        /// An answer in a coding that is not undone, or that is damaged or cut.
        case badCoding
        /// An answer that is not one JSON value in UTF-8 within the depth limit.
        case invalidJSON
        /// An answer over the size limit, or with too many values to look into.
        case tooLarge
        /// `pick` leads to nothing in the answer.
        case missingValue
        /// There are more values to ask for than may be.
        case tooManyValues
        /// A value that the request needs is not there: the client did not send it, or a part did not answer with it.
        case missingInput
        /// A value that the request needs cannot stand in its place.
        case badInput
        /// Nobody waits for it any more.
        case cancelled
        case `internal`

        /// The word for it.
        package var word: StaticString {
            switch self {
            case .timeout: "timeout"
            case .connectFailed: "connect_failed"
            case .dnsFailed: "dns_failed"
            case .tlsFailed: "tls_failed"
            case .upstreamClosed: "upstream_closed"
            case .upstreamProtocol: "upstream_protocol"
            case .upstreamTruncated: "upstream_truncated"
            case .upstreamOverloaded: "upstream_overloaded"
            case .circuitOpen: "circuit_open"
            case .noHealthyEndpoint: "no_healthy_endpoint"
            case .badStatus: "bad_status"
            case .notJSON: "not_json"
            case .badCoding: "bad_coding"
            case .invalidJSON: "invalid_json"
            case .tooLarge: "too_large"
            case .missingValue: "missing_value"
            case .tooManyValues: "too_many_values"
            case .missingInput: "missing_input"
            case .badInput: "bad_input"
            case .cancelled: "cancelled"
            case .internal: "internal"
            }
        }
    }

    package var reason: Reason
    /// The status of the answer for `badStatus`, else 0.
    package var status: UInt16
    /// For `missingInput` and `badInput`: whether the value is the client's to send.
    package var isClients: Bool

    package init(_ reason: Reason, status: UInt16 = 0, isClients: Bool = false) {
        self.reason = reason
        self.status = status
        self.isClients = isClients
    }

    /// The status of a view whose required part failed so (routes.json, "Status and failure").
    ///
    /// 400 and 422 of a part count as the client's doing only where the request holds something that it sent.
    /// What is missing for one value of many is not what the client has asked for. A step that cannot be done as things are
    /// (409, 412) says so to whoever wanted it.
    func viewStatus(holdsInput: Bool, isOfMany: Bool = false, isStep: Bool = false) -> UInt16 {
        switch reason {
        case .timeout: 504
        case .circuitOpen, .upstreamOverloaded, .noHealthyEndpoint: 503
        case .missingInput, .badInput: isClients ? 400 : 502
        case .badStatus:
            switch status {
            case 401, 403: status
            case 404, 410: isOfMany ? 502 : status
            case 400, 422: holdsInput ? status : 502
            case 409, 412: isStep ? status : 502
            default: 502
            }
        case .internal: 500
        default: 502
        }
    }
}
