import ByteBuffers
import Testing

@testable import HTTPMessage

/// RFC 7240 §2, §4.4.
@Suite struct PreferFieldTests {
    @Test(
        arguments: [
            ([], false), ([""], false), (["handling=strict"], true), (["Handling=Strict"], true),
            (["HANDLING = \"strict\""], true), (["handling\t=\tstrict"], true), (["handling=strict;a=b; c"], true),
            (["handling=strict ; a"], true), (["wait=10, handling=strict"], true),
            (["wait=10", "handling=strict"], true),
            ([",, handling=strict ,"], true), (["a=\"x, handling=lenient\", handling=strict"], true),
            (["a; b=\", \\\"\"; c, handling=strict"], true), (["respond-async,handling=strict,wait=5"], true),
            // The first one counts.
            (["handling=lenient, handling=strict"], false), (["handling=lenient", "handling=strict"], false),
            (["handling=strict, handling=lenient"], true), (["handling=strict", "handling=lenient"], true),
            (["handling, handling=strict"], false), (["handling=\"\", handling=strict"], false),
            // Nothing of the kind.
            (["handling=lenient"], false), (["handling"], false), (["handling="], false), (["strict"], false),
            (["handling=stricter"], false), (["xhandling=strict"], false), (["handling-x=strict"], false),
            (["a;handling=strict"], false), (["a=\"handling=strict\""], false), (["a=\"x, handling=strict\""], false),
            // What is malformed expresses no preference, and takes none of the others with it.
            (["handling=strict x"], false), (["handling strict"], false),
            (["handling=strict=x, handling=strict"], true),
            (["=, \"x\", handling=strict"], true), (["handling=\"strict"], false), (["@ x, handling=strict"], true),
        ] as [([String], Bool)])
    func strictness(_ fields: [String], _ expected: Bool) {
        var prefer = PreferField()
        for field in fields { prefer.read(Array(field.utf8).span) }
        #expect(prefer.isStrict == expected)
    }
}
