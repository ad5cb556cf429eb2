import ByteBuffers

/// The rules for `Host` (RFC 9112 §3.2, §3.2.2).
enum HostField {
    /// Checks that there is exactly one valid `Host` (HTTP/1.0 may lack it), and takes the authority from it unless the
    /// request target named one.
    static func read(_ head: inout RequestHead) -> RequestError? {
        guard let index = head.fields.first(.host) else {
            return head.version == .http10 ? nil : .badRequest("Host is missing")
        }
        guard head.fields.firstIndex(of: .host, after: index) == nil else { return .badRequest("Host stands twice") }
        let range = head.fields[index].value
        guard let authority = Authority(head.bytes.span(range)) else {
            return .badRequest("Host is not a host and port")
        }
        if !head.hasAuthority {
            head.authority = range
            head.host = ByteRange(start: Int(range.start), count: Int(authority.host.count))
            head.port = authority.port
            head.hasAuthority = true
        }
        return nil
    }
}
