import ByteBuffers
import HTTPListener
import HTTPMessage
import Telemetry

// What every answer bears.

extension Exchange {
    /// Appends the request's id, as it is sent on and answered with.
    func appendRequestID(to buffer: inout ByteBuffer) {
        let identity = identity
        if identity.requestID.isEmpty {
            identity.appendNewRequestID(to: &buffer)
        } else {
            head.copy(identity.requestID, to: &buffer)
        }
    }

    /// Appends the fields that the gateway adds to every answer.
    func appendOwnFields() { appendOwnFields(to: &output) }

    /// Appends them to the output, which the caller has access to.
    func appendOwnFields(to output: inout ByteBuffer) {
        if !requestIsWhole { mark(.earlyAnswer) }
        appendTraceResponse(to: &output)
        if handlesStrictly {
            // Another client may have taken the view without a part (RFC 7240 §2, §3).
            output.append("Preference-Applied: handling=strict\r\nVary: Prefer\r\n")
        }
        output.append("X-Request-Id: ")
        appendRequestID(to: &output)
        output.append("\r\n")
    }
}
