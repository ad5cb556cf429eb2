package import ByteBuffers

/// Status codes and their reason phrases (the IANA registry of HTTP status codes).
package enum StatusCode {
    /// The registered phrase; for an unregistered code that of its class, so that every answer has one.
    package static func reasonPhrase(_ status: UInt16) -> StaticString {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 102: "Processing"
        case 103: "Early Hints"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 203: "Non-Authoritative Information"
        case 204: "No Content"
        case 205: "Reset Content"
        case 206: "Partial Content"
        case 207: "Multi-Status"
        case 208: "Already Reported"
        case 226: "IM Used"
        case 300: "Multiple Choices"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 305: "Use Proxy"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400...499: clientErrorPhrase(status)
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 506: "Variant Also Negotiates"
        case 507: "Insufficient Storage"
        case 508: "Loop Detected"
        case 511: "Network Authentication Required"
        case 100...199: "Informational"
        case 200...299: "Success"
        case 300...399: "Redirection"
        default: "Server Error"
        }
    }

    private static func clientErrorPhrase(_ status: UInt16) -> StaticString {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 407: "Proxy Authentication Required"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 423: "Locked"
        case 424: "Failed Dependency"
        case 425: "Too Early"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 499: "Client Closed Request"
        default: "Client Error"
        }
    }
}

extension ByteBuffer {
    /// Appends `HTTP/1.1 status phrase CRLF`: whatever the version of the request, the answer names the version that
    /// the gateway speaks (RFC 9112 §2.3, RFC 9110 §6.2). The status is put within 100...999, so that it has three
    /// digits.
    package mutating func appendStatusLine(_ status: UInt16) {
        let status = Swift.min(Swift.max(status, 100), 999)
        append("HTTP/1.1 ")
        appendDecimal(status)
        append(UInt8(ascii: " "))
        append(StatusCode.reasonPhrase(status))
        append("\r\n")
    }
}
