import GatewayConfig
import Testing

/// What operators choose at run time, and what the file says of it.
@Suite struct RuntimeChoicesTests {
    private static func file(
        active: String = "blue", green: String = "http://127.0.0.1:2", users: String = "http://127.0.0.1:3",
        without: String = ""
    ) throws -> GatewayConfiguration {
        let upstreams = [
            ("shop", #"{"pools": {"blue": ["http://127.0.0.1:1"], "green": ["\#(green)"]}, "active": "\#(active)"}"#),
            ("users", #"{"servers": ["\#(users)"], "timeout": "2s"}"#),
            ("other", #""http://127.0.0.1:9""#),
        ].filter { $0.0 != without }.map { #""\#($0.0)": \#($0.1)"# }.joined(separator: ", ")
        let text = """
            {"gateway": {"listeners": [{"address": "127.0.0.1:0"}]}, "upstreams": {\(upstreams)},
             "routes": [{"match": "/{rest...}", "to": "other"}]}
            """
        let reading = ConfigurationReader.read(text: Array(text.utf8), file: "routes.json", environment: [:])
        return try #require(reading.configuration, "\(reading.issues)")
    }

    private static func upstream(_ name: String, _ file: GatewayConfiguration) throws -> UpstreamSection {
        try #require(file.upstreams.first { $0.name == name })
    }

    private static func servers(_ text: String) throws -> [ServerSection] {
        let reading = ConfigurationReader.readServers(text: Array(text.utf8), named: "body")
        return try #require(reading.value, "\(reading.issues)")
    }

    private static func urls(_ name: String, _ file: GatewayConfiguration) throws -> [String] {
        try upstream(name, file).activeServers.map(\.url.description)
    }

    /// The other pool of `shop`, and two servers for `users`.
    private static func both(_ file: GatewayConfiguration) throws -> RuntimeChoices {
        var choices = RuntimeChoices()
        choices.choose(pool: "green", for: try upstream("shop", file))
        choices.choose(
            servers: try servers(#"["http://127.0.0.1:4", {"url": "https://b:5/x", "weight": 3, "zone": "$${eu}"}]"#),
            for: try upstream("users", file))
        return choices
    }

    @Test func aChoiceIsPutOverTheFile() throws {
        let file = try Self.file()
        let choices = try Self.both(file)
        let applied = choices.applied(to: file)
        #expect(try Self.urls("shop", applied) == ["http://127.0.0.1:2"])
        #expect(try Self.urls("users", applied).count == 2)
        #expect(try Self.upstream("users", applied).timeout == .after(.seconds(2)), "all else stays")
        #expect(try Self.upstream("other", applied) == Self.upstream("other", file))
    }

    @Test func takenBackTheFileHolds() throws {
        let file = try Self.file()
        var choices = try Self.both(file)
        choices.takeBack("shop")
        choices.takeBack("users")
        #expect(choices.isEmpty && choices.applied(to: file) == file)
    }

    @Test func choosingWhatTheFileSaysIsNoChoice() throws {
        let file = try Self.file()
        var choices = try Self.both(file)
        choices.choose(pool: "blue", for: try Self.upstream("shop", file))
        choices.choose(servers: try Self.servers(#"["http://127.0.0.1:3"]"#), for: try Self.upstream("users", file))
        #expect(choices.isEmpty)
    }

    @Test func whatTheFileSaysOfOtherThingsKeepsTheChoice() throws {
        var choices = try Self.both(try Self.file())
        let dropped = choices.fit(try Self.file(green: "http://127.0.0.1:22"))
        #expect(dropped.isEmpty, "\(dropped)")
        let applied = choices.applied(to: try Self.file(green: "http://127.0.0.1:22"))
        #expect(try Self.urls("shop", applied) == ["http://127.0.0.1:22"])
    }

    @Test(arguments: [
        ("shop", "active"), ("users", "servers"), ("gone", "no upstream"), ("pool", "unknown pool"),
    ])
    func theFilesOwnChangeDropsIt(_ what: String, _ word: String) throws {
        var choices = try Self.both(try Self.file())
        let file =
            switch what {
            case "shop": try Self.file(active: "green")
            case "users": try Self.file(users: "http://127.0.0.1:33")
            case "gone": try Self.file(without: "users")
            default: try Self.file()
            }
        if what == "pool" {
            let text = #"{"upstreams": {"shop": {"active": "gren", "over": "blue"}}}"#
            choices = RuntimeChoices.reading(Array(text.utf8), file: "state").choices
        }
        let dropped = choices.fit(file)
        #expect(dropped.count == 1 && dropped[0].contains(word), "\(dropped)")
        if what == "pool" { #expect(dropped[0].contains(#"did you mean "green"?"#), "\(dropped)") }
        #expect(choices.fit(file).isEmpty, "told once")
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let choices = try Self.both(try Self.file())
        let (read, problems) = RuntimeChoices.reading(choices.text, file: "state.json")
        #expect(read == choices && problems.isEmpty, "\(problems)")
        #expect(RuntimeChoices.reading(RuntimeChoices().text, file: "state.json").choices.isEmpty)
    }

    @Test(arguments: [
        "", "{", "null", "[]", #"{"upstreams": 1}"#, #"{"upstrams": {}}"#, "\u{0}", #"{"upstreams": {"users": 1}}"#,
        #"{"upstreams": {"users": {"servers": ["ftp://x"], "over": []}}}"#,
        #"{"upstreams": {"users": {"servers": [], "over": ["http://a"]}}}"#,
        #"{"upstreams": {"users": {"active": "green"}}}"#, #"{"upstreams": {"users": {"active": 1, "over": "b"}}}"#,
    ])
    func aBrokenFileHoldsNothingAndSaysWhy(_ text: String) {
        let (choices, problems) = RuntimeChoices.reading(Array(text.utf8), file: "state.json")
        #expect(choices.isEmpty && !problems.isEmpty)
        #expect(problems.allSatisfy { $0.hasPrefix("state.json:1:") }, "\(problems)")
    }

    @Test func whatIsWrongWithOneUpstreamCostsNoOtherOneItsChoice() throws {
        let text = #"{"upstreams": {"users": {"active": 1}, "shop": {"active": "green", "over": "blue"}}}"#
        let (choices, problems) = RuntimeChoices.reading(Array(text.utf8), file: "state.json")
        #expect(choices["shop"] == .pool("green", over: "blue") && choices["users"] == nil)
        #expect(!problems.isEmpty)
    }

    // MARK: - What is sent

    @Test(arguments: [
        (#""green""#, false), (#"{"active": "green"}"#, false), (#"{"active": "green", "force": true}"#, true),
    ])
    func aPoolIsNamedInTwoWays(_ text: String, _ force: Bool) throws {
        let shop = try Self.upstream("shop", try Self.file())
        let reading = ConfigurationReader.readPool(text: Array(text.utf8), named: "body", of: shop)
        #expect(reading.value?.active == "green" && reading.value?.force == force, "\(reading.issues)")
    }

    @Test(arguments: [
        (#""gren""#, #"body:1:1: unknown pool "gren", did you mean "green"?"#),
        (#"{"active": "x"}"#, #"there are "blue", "green""#), ("{}", #"missing "active""#),
        (#"{"active": "green", "forse": true}"#, #"did you mean "force"?"#), ("[]", "expected the name of a pool"),
        (#"{"active": "green", "force": 1}"#, "expected true or false"), ("", "body:1:1"),
        (#"{"active": "green", "active": "blue"}"#, "duplicate key"), (#""${HOME}""#, "HOME"),
    ])
    func aPoolThatMakesNoSenseIsRefused(_ text: String, _ word: String) throws {
        let shop = try Self.upstream("shop", try Self.file())
        let reading = ConfigurationReader.readPool(text: Array(text.utf8), named: "body", of: shop)
        #expect(reading.value == nil)
        #expect(reading.issues.contains { $0.description.contains(word) }, "\(reading.issues)")
    }

    @Test(arguments: [
        ("[]", "at least one server"), ("{}", "expected an array"), (#"["127.0.0.1:1"]"#, "/0: expected a server"),
        (#"["http://a", "http://a/"]"#, "stands here twice"), (#"["http://u:p@a"]"#, "no user name"),
        (#"[{"url": "http://a", "wieght": 2}]"#, #"did you mean "weight"?"#), ("[", "body:1:"),
        (#"["http://${HOME}"]"#, "HOME"),
    ])
    func serversThatMakeNoSenseAreRefused(_ text: String, _ word: String) {
        let reading = ConfigurationReader.readServers(text: Array(text.utf8), named: "body")
        #expect(reading.value == nil)
        #expect(reading.issues.contains { $0.description.contains(word) }, "\(reading.issues)")
    }
}
