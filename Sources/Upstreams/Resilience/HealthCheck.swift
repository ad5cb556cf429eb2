/// What the endpoints of an upstream are asked now and then, and how their answers are judged.
package struct HealthCheck: Equatable, Sendable {
    /// What is asked.
    package enum Question: Equatable, Sendable {
        /// A `GET` for a path: the answer has one of the statuses, and contains the text, if one is given.
        case http(path: [UInt8], statuses: [ClosedRange<UInt16>], text: [UInt8])
        /// A connection, and nothing more.
        case connection
        /// `grpc.health.v1.Health/Check` of a service; of the server as a whole where it has no name.
        case grpc(service: [UInt8])
    }

    package var question: Question
    /// The value of the Host field; empty for the endpoint's own.
    package var host: [UInt8] = []
    /// When it is asked.
    package var schedule = ProbeSchedule()
    /// How long the answer may take, in milliseconds, the connection included.
    package var timeout: UInt64 = 1_000
    package var thresholds = HealthRecord.Thresholds()

    package init(_ question: Question) { self.question = question }
}

/// What one check has found.
package enum HealthFinding: Equatable, Sendable {
    /// The endpoint is well.
    case well
    /// There was no answer, or not to its end.
    case failed(UpstreamFailure)
    /// An answer with another status than one that is awaited.
    case status(UInt16)
    /// An answer without the text that is awaited.
    case missingText
    /// A gRPC answer that says something else than that the service is at work.
    case notServing(UInt64)
    /// A call of gRPC that failed, with its code; nil where it said none.
    case callFailed(UInt64?)

    /// The finding in words, for logs.
    package var text: String {
        switch self {
        case .well: "well"
        case .failed(let failure): "\(failure.cause)"
        case .status(let status): "status \(status)"
        case .missingText: "the answer lacks the text"
        case .notServing(let status): "not serving (\(status))"
        case .callFailed(let code?): "grpc-status \(code)"
        case .callFailed(nil): "no grpc-status"
        }
    }
}
