import ByteBuffers
import HTTPListener
import HTTPMessage
import Telemetry
import Upstreams

/// What a line of the access log says in words about an exchange that has ended. Head and configuration are those of the
/// exchange, handed in so that a line costs one access to each.
extension Exchange {
    // MARK: - As a record

    /// Sets the fields that are text, of what may be personal or secret only what is asked for.
    func fillTexts(
        _ record: inout AccessLogRecord, from head: borrowing RequestHead, _ asked: AccessLogFieldSet,
        _ snapshot: WorkerSnapshot
    ) {
        let identity = identity
        if let cause { record.set(.cause, cause.name) }
        if identity.requestID.isEmpty {
            record.set(.requestID) { identity.appendNewRequestID(to: &$0) }
        } else {
            record.set(.requestID, head.span(identity.requestID))
        }
        if let client = identity.client { record.set(.client) { $0.append(client) } }
        record.set(.method, head.span(head.methodRange))
        if head.hasAuthority { record.set(.host, head.span(head.authority)) }
        record.set(.path, head.span(head.targetPath))
        if head.hasQuery, asked.contains(.query) { record.set(.query, head.span(head.query)) }
        record.set(.protocolVersion, head.version.logText)
        if !identity.user.isEmpty, asked.contains(.user) { record.set(.user, head.span(identity.user)) }
        if let agent = head.fields.first(.userAgent) { record.set(.userAgent, head.value(agent)) }
        if asked.contains(.referer), let referer = head.fields.first(.referer) {
            record.set(.referer, head.value(referer))
        }
        if route >= 0 { record.set(.route, snapshot.routeNames[route]) }
        if upstream >= 0 {
            record.set(.upstream, snapshot.upstreams[upstream].name)
            if let endpoint { record.set(.upstreamAddress, endpoint.text) }
        }
    }

    // MARK: - As JSON

    /// Appends the members of one group, each with a comma, its name, and its value as a string of JSON or null. What is
    /// ours or of a closed list needs no escapes.
    @inline(__always)
    func appendLogTexts(
        _ group: LogTextGroup, of head: borrowing RequestHead, _ texts: borrowing RepeatedTexts,
        _ repeated: RepeatedTexts.Entry?, _ snapshot: WorkerSnapshot, to line: inout ByteBuffer
    ) {
        switch group {
        case .requestID:
            // One that the gateway gave stands in the record.
            line.append(",\"request_id\":")
            line.appendJSONString(head.span(identity.requestID))
        case .request: appendRequest(head, texts, repeated, snapshot, to: &line)
        case .cause:
            guard let cause else { return line.append(",\"cause\":null") }
            line.append(",\"cause\":\"")
            line.append(cause.name)
            line.append("\"")
        case .upstream:
            guard upstream >= 0 else { return line.append(",\"upstream\":null,\"upstream_address\":null") }
            line.append(",\"upstream\":")
            line.append(snapshot.upstreams[upstream].nameInLog)
            if let endpoint { line.append(endpoint.textInJSON) } else { line.append("null") }
        case .userAgent:
            line.append(",\"user_agent\":")
            if let repeated { return texts.appendAgent(repeated, to: &line) }
            guard let agent = head.fields.first(.userAgent) else { return line.append("null") }
            line.appendJSONString(head.value(agent))
        }
    }

    /// Appends who asked for what.
    @inline(__always)
    private func appendRequest(
        _ head: borrowing RequestHead, _ texts: borrowing RepeatedTexts, _ repeated: RepeatedTexts.Entry?,
        _ snapshot: WorkerSnapshot, to line: inout ByteBuffer
    ) {
        if let client = identity.client {
            line.append(",\"client\":\"")
            line.append(client)
            line.append("\",\"method\":")
        } else {
            line.append(",\"client\":null,\"method\":")
        }
        if head.method == .get {
            line.append("\"GET\",\"host\":")
        } else {
            line.appendJSONString(head.span(head.methodRange))
            line.append(",\"host\":")
        }
        if let repeated {
            texts.appendHost(repeated, to: &line)
        } else if head.hasAuthority {
            line.appendJSONString(head.span(head.authority))
        } else {
            line.append("null")
        }
        line.append(",\"path\":")
        line.appendJSONString(head.span(head.targetPath))
        line.append(head.version.jsonMember)
        guard route >= 0 else { return line.append("null") }
        line.append(snapshot.routeNamesInJSON[route])
    }
}

extension RequestHead {
    /// Where the path stands as it was received, without the query.
    var targetPath: ByteRange {
        hasQuery ? ByteRange(start: Int(target.start), count: Int(query.start) - 1 - Int(target.start)) : target
    }
}

extension HTTPVersion {
    /// The version as logs have it.
    fileprivate var logText: StaticString {
        switch self {
        case .http10: "HTTP/1.0"
        case .http11: "HTTP/1.1"
        case .http2: "HTTP/2.0"
        }
    }

    /// The same as a member of JSON, up to the value of the next one.
    fileprivate var jsonMember: StaticString {
        switch self {
        case .http10: ",\"protocol\":\"HTTP/1.0\",\"route\":"
        case .http11: ",\"protocol\":\"HTTP/1.1\",\"route\":"
        case .http2: ",\"protocol\":\"HTTP/2.0\",\"route\":"
        }
    }
}
