package import ByteBuffers

/// Queries as spans may tell them: the values of parameters that sign or authorize a request are left out.
///
/// The names are those of OpenTelemetry's conventions (`url.query`, HTTP spans §Sensitive information), and beside them
/// those by which tokens commonly travel (RFC 6750 §2.3, RFC 6749 §4.1.2). They are compared without regard to case.
package enum QueryRedaction {
    private static let names: [StaticString] = [
        "x-amz-signature", "x-amz-credential", "x-amz-security-token", "awsaccesskeyid", "signature", "sig",
        "x-goog-signature", "access_token", "refresh_token", "id_token", "token", "code", "client_secret", "password",
        "api_key", "apikey", "key",
    ]

    /// Appends `query`, without its question mark, with `REDACTED` for what must not be told. Names stay.
    package static func append(_ query: borrowing Span<UInt8>, to buffer: inout ByteBuffer) {
        var start = 0
        while start < query.count {
            var end = start
            var value: Int?
            while end < query.count, query[end] != UInt8(ascii: "&") {
                if value == nil, query[end] == UInt8(ascii: "=") { value = end + 1 }
                end += 1
            }
            if let value, isSecret(query.extracting(start..<(value - 1))) {
                buffer.append(query.extracting(start..<value))
                buffer.append("REDACTED")
            } else {
                buffer.append(query.extracting(start..<end))
            }
            if end < query.count { buffer.append("&") }
            start = end + 1
        }
    }

    /// Whether the parameter of this name holds a secret. A name that is percent-encoded is one with something to hide.
    private static func isSecret(_ name: borrowing Span<UInt8>) -> Bool {
        for index in 0..<name.count where name[index] == UInt8(ascii: "%") { return true }
        for secret in names where name.equalsIgnoringCase(secret) { return true }
        return false
    }
}
