import GatewayConfig
import Testing

/// The environment in strings, secrets, header fields, and what is quoted in messages.
@Suite struct TextTests {
    private static let environment = ["HOST": "127.0.0.1", "EMPTY": "", "A_1": "x", "NESTED": "${HOST}"]

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("${HOST}", "127.0.0.1"), ("a${HOST}b${A_1}c", "a127.0.0.1bxc"),
        ("${HOST:-other}", "127.0.0.1"), ("${NONE:-other}", "other"), ("${NONE:-}", ""), ("${NONE:-a:-b}", "a:-b"),
        // As in a shell: the default also stands in for an empty value; without one the empty value is taken.
        ("${EMPTY:-other}", "other"), ("[${EMPTY}]", "[]"),
        ("$${HOST}", "${HOST}"), ("$$${HOST}", "$${HOST}"), ("$", "$"), ("$HOST", "$HOST"), ("5$", "5$"), ("$$", "$$"),
        ("{HOST}", "{HOST}"), ("${NESTED}", "${HOST}"), ("ü${A_1}🌳", "üx🌳"),
    ])
    func fillsInTheEnvironment(_ written: String, _ expected: String) {
        let text = EnvironmentText(written, environment: Self.environment)
        #expect(text.text == expected)
        #expect(text.problems.isEmpty)
        #expect(text.usesEnvironment == (written.contains("${") && !written.hasPrefix("$$")))
    }

    @Test(arguments: [
        ("${NONE}", "NONE is not set"), ("${", "without \"}\""), ("a${HOST", "without \"}\""),
        ("${}", "is not ${NAME}"),
        ("${1A}", "is not ${NAME}"), ("${A-B}", "is not ${NAME}"), ("${HOST:=x}", "is not ${NAME}"),
        ("${ HOST}", "is not ${NAME}"),
        ("${NONE:-${HOST}}", "holds another reference"), ("${HÖST}", "is not ${NAME}"),
    ])
    func saysWhatIsWrong(_ written: String, _ problem: String) throws {
        let text = EnvironmentText(written, environment: Self.environment)
        #expect(text.problems.count == 1)
        #expect(try #require(text.problems.first).contains(problem))
    }

    @Test func reportsEveryReference() {
        let text = EnvironmentText("${NONE}-${HOST}-${NEITHER}", environment: Self.environment)
        #expect(text.problems.count == 2)
        #expect(text.text == "${NONE}-127.0.0.1-${NEITHER}")
    }

    @Test(arguments: ["", "a", "$", "${", "${A}", "$${", "$$${A}", "$$", "a$${b}c", "ü${"])
    func escapesWhatItWouldReplace(_ text: String) {
        let read = EnvironmentText(EnvironmentText.escaping(text), environment: [:])
        #expect(read == EnvironmentText(EnvironmentText.escaping(text), environment: ["A": "1", "b": "2"]))
        #expect(read.text == text)
        #expect(read.problems.isEmpty)
    }

    // MARK: - Secrets

    @Test func neverShowsASecret() throws {
        struct Holder { var secret: Secret? }
        let secret = Secret(environment: "TOKEN", value: "hunter2")
        var dumped = ""
        dump(Holder(secret: secret), to: &dumped)
        for text in ["\(secret)", "\(Holder(secret: secret))", String(reflecting: secret), dumped] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("TOKEN"))
        }
        #expect(try secret.value(files: FileAccess(inMemory: [:])) == "hunter2")
    }

    @Test(
        arguments: [
            ("plain", "plain"), ("line\n", "line"), ("line\r\n", "line"), (" kept ", " kept "), ("ü", "ü"),
            ("", nil), ("\n", nil), ("two\nlines\n", nil), ("nul\0", nil), ("twice\n\n", nil),
        ] as [(String, String?)])
    func readsASecretFile(_ content: String, _ expected: String?) throws {
        let files = FileAccess(inMemory: ["token": Array(content.utf8)])
        let secret = Secret(file: "token")
        if let expected {
            #expect(try secret.value(files: files) == expected)
        } else {
            let problem = #expect(throws: ValueProblem.self) { try secret.value(files: files) }
            #expect(problem?.message.contains("lines") == false)
        }
        #expect(throws: ValueProblem.self) { try Secret(file: "none").value(files: files) }
    }

    @Test func refusesASecretThatIsNotText() {
        let files = FileAccess(inMemory: ["token": [0xFF, 0xFE]])
        #expect(throws: ValueProblem.self) { try Secret(file: "token").value(files: files) }
    }

    // MARK: - Header fields

    @Test(arguments: [
        ("x-user-id", true), ("X_User!#$%&'*+.^`|~9", true), ("", false), ("x user", false), ("x:y", false),
        ("ü", false),
        ("x\r\n", false), ("x(y)", false), (String(repeating: "x", count: 129), false),
    ])
    func knowsFieldNames(_ name: String, _ expected: Bool) {
        #expect(FieldRules.isName(name) == expected)
    }

    // RFC 9110 §5.5
    @Test(arguments: [
        ("", true), ("a b\tc", true), ("Grüße", true), (" a", false), ("a ", false), ("\ta", false), ("a\tb\t", false),
        ("a\r\nx: y", false), ("a\nb", false), ("a\0b", false), ("\u{7F}", false),
        (String(repeating: "x", count: 8193), false),
    ])
    func knowsFieldValues(_ value: String, _ expected: Bool) {
        #expect(FieldRules.isValue(value) == expected)
    }

    @Test(arguments: [
        ("Content-Length", true, true), ("transfer_encoding", true, true), ("Connection", true, true),
        ("TE", true, true),
        ("upgrade", true, true), ("Host", true, false), ("X-Forwarded-Anything", true, false),
        ("Forwarded", true, false),
        ("x_real_ip", true, false), ("traceparent", true, false), ("Baggage", true, false), ("b3", true, false),
        ("X-B3-TraceId", true, false), ("Via", true, true), ("X-Request-Id", true, true),
        ("banyan-served-by", true, true),
        ("content-type", false, false), ("authorization", false, false), ("cookie", false, false),
        ("x-tenant", false, false),
    ])
    func knowsFieldsThatAreNotForTheFile(_ name: String, _ inRequest: Bool, _ inResponse: Bool) {
        #expect((FieldRules.reasonAgainstRequest(name) != nil) == inRequest)
        #expect((FieldRules.reasonAgainstResponse(name) != nil) == inResponse)
    }

    // MARK: - Messages

    @Test func quotesOnOneLine() {
        #expect(ValueProblem.quoted("a\"b\\c") == #""a\"b\\c""#)
        #expect(ValueProblem.quoted("a\n\u{1B}[31m\u{2028}\u{202E}b") == #""a\u{a}\u{1b}[31m\u{2028}\u{202e}b""#)
        #expect(ValueProblem.quoted(String(repeating: "x", count: 81)).hasSuffix("x…\""))
    }
}
