import ByteBuffers
import Testing

@testable import DistributedTracing

/// What of a query spans tell (OpenTelemetry, HTTP spans §Sensitive information).
@Suite struct QueryRedactionTests {
    @Test(arguments: [
        ("", ""), ("a=1", "a=1"), ("a=1&b=2", "a=1&b=2"), ("&", "&"), ("a&&b=", "a&&b="), ("a=1&", "a=1&"),
        ("sig=abc", "sig=REDACTED"), ("SIG=abc", "SIG=REDACTED"), ("x=1&sig=a=b&y=2", "x=1&sig=REDACTED&y=2"),
        ("sig", "sig"), ("sig=", "sig=REDACTED"), ("signed=yes", "signed=yes"), ("=sig", "=sig"),
        ("X-Amz-Signature=1&X-Amz-Credential=2", "X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED"),
        ("X-Amz-Security-Token=1&AWSAccessKeyId=2", "X-Amz-Security-Token=REDACTED&AWSAccessKeyId=REDACTED"),
        ("Signature=1&X-Goog-Signature=2", "Signature=REDACTED&X-Goog-Signature=REDACTED"),
        ("access_token=t&page=2", "access_token=REDACTED&page=2"), ("s%69g=abc", "s%69g=REDACTED"),
        ("a=%26sig=1", "a=%26sig=1"), ("a;sig=1", "a;sig=1"),
    ])
    func secretsAreLeftOut(query: String, told: String) {
        var text = ByteBuffer()
        QueryRedaction.append(Array(query.utf8).span, to: &text)
        #expect(text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } == told)
    }
}
