package import ByteBuffers

/// The body of an answer that the gateway itself gives when something failed (RFC 9457, `application/problem+json`).
///
/// It says what the client can act on and nothing of the inside: no address, no version, no byte of the request but its
/// id.
package enum ProblemDocument {
    /// The media type of the body.
    package static var contentType: StaticString { "application/problem+json" }

    /// Appends one JSON object with `type`, `title`, `status`, `detail`, `cause`, `request_id`, `trace_id`.
    ///
    /// - Parameters:
    ///   - cause: The bounded word of the failure, as in metrics and logs; `type` is `urn:banyan:problem:<cause>`.
    ///   - status: The status of the answer; the title is its reason phrase.
    ///   - detail: A fixed sentence; an empty one is left out.
    ///   - requestID: The request's id; left out if empty.
    ///   - traceID: The trace id (high and low half); left out if zero, which is no valid id (Trace Context §3.2.2.3).
    package static func append(
        cause: StaticString, status: UInt16, detail: StaticString, requestID: Span<UInt8>,
        traceID: (high: UInt64, low: UInt64), into out: inout ByteBuffer
    ) {
        out.append("{\"type\":\"urn:banyan:problem:")
        out.append(cause)
        out.append("\",\"title\":")
        out.appendJSONText(StatusCode.reasonPhrase(status))
        out.append(",\"status\":")
        out.appendDecimal(status)
        if detail.utf8CodeUnitCount > 0 {
            out.append(",\"detail\":")
            out.appendJSONText(detail)
        }
        out.append(",\"cause\":")
        out.appendJSONText(cause)
        if requestID.count > 0 {
            out.append(",\"request_id\":")
            out.appendJSONString(requestID)
        }
        if traceID.high != 0 || traceID.low != 0 {
            out.append(",\"trace_id\":\"")
            out.appendHex(traceID.high, digits: 16)
            out.appendHex(traceID.low, digits: 16)
            out.append("\"")
        }
        out.append("}")
    }
}

extension ByteBuffer {
    /// Appends a literal as a JSON string with its quotes.
    fileprivate mutating func appendJSONText(_ text: StaticString) {
        text.withUTF8Buffer { bytes in
            // SAFETY: the bytes of a literal live for ever.
            appendJSONString(Span(_unsafeElements: bytes))
        }
    }
}
