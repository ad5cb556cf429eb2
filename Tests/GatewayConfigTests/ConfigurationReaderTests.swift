import ByteBuffers
import GatewayConfig
import JSON
import Testing

/// What is in a configuration that was read: values, defaults, positions, and how it is shown.
@Suite struct ConfigurationReaderTests {
    private static let small = #"""
        {
          "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ] },
          "upstreams": { "monolith": "http://127.0.0.1:9000" },
          "contexts": { "tasks": { "off": "monolith" } },
          "routes": [
            { "match": "/{rest...}", "to": "tasks" },
            { "match": "GET /view", "aggregate": { "a": { "from": "tasks", "get": "/a" } } },
            { "match": "/old", "redirect": { "location": "/new" } },
            { "match": "/fixed", "respond": {} }
          ]
        }
        """#

    private func read(_ text: String, file: String = "routes.json") throws -> GatewayConfiguration {
        let reading = ConfigurationReader.read(
            text: Array(text.utf8), file: file, environment: Fixture.environment, files: nil)
        return try #require(reading.configuration, "\(reading.lines.joined(separator: "\n"))")
    }

    // MARK: - Defaults

    // http-behaviour.md §6
    @Test func fillsInTheDefaultsOfTheGateway() throws {
        let gateway = try read(Self.small).gateway
        #expect(gateway.listeners.map(\.address.description) == ["127.0.0.1:0"])
        #expect(gateway.listeners.map(\.protocols) == [[.http1, .http2]])
        #expect(gateway.listeners.map(\.edge) == [.restart])
        #expect(gateway.admin == nil)
        #expect(gateway.workers == nil)
        #expect(gateway.identity.isEmpty && gateway.trustedProxies.isEmpty)
        #expect(gateway.limits.head.bytes == 32768)
        #expect(gateway.limits.fields == 100)
        #expect(gateway.limits.target.bytes == 8192)
        #expect(gateway.limits.body.bytes == 10 << 20)
        #expect(gateway.limits.connections == 16384)
        #expect(gateway.limits.connectionsPerAddress == nil)
        #expect(gateway.limits.requestsPerConnection == 10_000)
        #expect(gateway.limits.streams == 128)
        #expect(gateway.timeouts.head.value == 10_000)
        #expect(gateway.timeouts.body.value == 30_000)
        #expect(gateway.timeouts.idle.value == 75_000)
        #expect(gateway.timeouts.write.value == 30_000)
        #expect(gateway.timeouts.drain.value == 30_000)
        #expect(gateway.accessLog?.output == .standardOutput)
        #expect(gateway.accessLog?.format == .json)
        #expect(gateway.accessLog?.sample == 1)
        #expect(gateway.tracing.propagate == nil)
        #expect(gateway.tracing.sampleRatio == nil)
        #expect(gateway.tracing.service == nil)
        #expect(gateway.servedBy)
    }

    // routes-json.md, upstreams
    @Test func fillsInTheDefaultsOfAnUpstream() throws {
        let upstream = try #require(read(Self.small).upstreams.first)
        #expect(upstream.name == "monolith")
        #expect(upstream.servers.map(\.url.description) == ["http://127.0.0.1:9000"])
        #expect(upstream.servers.map(\.weight) == [1])
        #expect(upstream.host == .server)
        #expect(upstream.connectTimeout.milliseconds?.value == 1000)
        #expect(upstream.timeout.milliseconds?.value == 15_000)
        #expect(upstream.idleTimeout.milliseconds?.value == 60_000)
        #expect(upstream.totalTimeout == .none)
        #expect(upstream.resolveInterval.value == 30_000)
        #expect(upstream.balance == .leastRequest)
        #expect(upstream.maxConnections == 1024 && upstream.maxRequests == 1024 && upstream.maxPending == 1024)
        #expect(upstream.tls.verify)
    }

    @Test func fillsInTheDefaultsOfRoutes() throws {
        let configuration = try read(Self.small)
        #expect(configuration.routes.map(\.name) == ["/{rest...}", "GET /view", "/old", "/fixed"])
        #expect(configuration.routes.map(\.index) == [0, 1, 2, 3])
        guard case .forward(let forward) = configuration.routes[0].action,
            case .aggregate(let view) = configuration.routes[1].action,
            case .redirect(let redirect) = configuration.routes[2].action,
            case .respond(let respond) = configuration.routes[3].action
        else {
            Issue.record("other actions than those of the file")
            return
        }
        #expect(forward.maxBody == .atMost(.mebibytes(10)))
        #expect(forward.timeout == nil && forward.idleTimeout == nil && forward.totalTimeout == nil)
        #expect(view.timeout.value == 5000)
        #expect(view.errors == .header)
        #expect(view.parts.map(\.timeout.value) == [2000])
        #expect(view.parts.map(\.request.method) == ["GET"])
        #expect(view.parts.map(\.optional) == [false])
        #expect(view.parts.map(\.members) == [.all])
        #expect(redirect.status == 308)
        #expect(respond.status == 200)
        #expect(respond.defaultContentType == nil)
    }

    @Test func givesRoutesTheLimitOfTheGateway() throws {
        let text = Self.small.replacing(#""listeners""#, with: #""limits": { "body": "1MiB" }, "listeners""#)
        guard case .forward(let forward) = try read(text).routes[0].action else {
            Issue.record("no forward")
            return
        }
        #expect(forward.maxBody == .atMost(.mebibytes(1)))
    }

    // MARK: - Names

    @Test func takesTheContextWhereAnUpstreamHasItsName() throws {
        let text = Self.small
            .replacing(#""monolith": "http"#, with: #""tasks": "http://127.0.0.1:9002", "monolith": "http"#)
        let configuration = try read(text)
        #expect(configuration.targets() == ["tasks": .context(0), "monolith": .upstream(1)])
        #expect(configuration.upstreamIndices() == ["tasks": 0, "monolith": 1])
    }

    // MARK: - Paths

    @Test func takesPathsFromTheFolderOfTheFile() throws {
        let text = Self.small
            .replacing(#""upstreams""#, with: #""flags": "flags.json", "upstreams""#)
            .replacing(#""listeners""#, with: #""accessLog": { "output": "log/a.log" }, "listeners""#)
        let configuration = try read(text, file: "/etc/banyan/routes.json")
        #expect(configuration.flags == "/etc/banyan/flags.json")
        #expect(configuration.gateway.accessLog?.output == .file(path: "/etc/banyan/log/a.log"))
    }

    // MARK: - Issues of other rooms

    @Test func placesIssuesOfOtherRooms() throws {
        let reading = Fixture.read(Array(Self.small.utf8))
        let source = reading.source
        let found = [
            source.issue(at: JSONPointer(["routes", "1", "aggregate", "a", "get"]), "no part is called x"),
            source.issue(.warning, atName: JSONPointer(["contexts", "tasks"]), "never used"),
        ]
        let more = reading.adding(found)
        #expect(reading.isGood)
        #expect(more.configuration == nil)
        #expect(more.draft == reading.configuration)
        #expect(
            more.lines == [
                "routes.json:4:17: warning: /contexts/tasks: never used",
                "routes.json:7:75: /routes/1/aggregate/a/get: no part is called x",
            ])
        #expect(reading.adding([found[1]]).configuration != nil)
    }

    @Test func keepsADraftBesideErrors() throws {
        let text = Self.small.replacing(#""to": "tasks""#, with: #""to": "tsks", "tiemout": 1"#)
        let reading = Fixture.read(Array(text.utf8))
        #expect(reading.configuration == nil)
        #expect(reading.draft?.routes.count == 4)
        #expect(reading.issues.count == 2)
        #expect(reading.hasError(at: JSONPointer(["routes", "0", "to"])))
        #expect(reading.hasError(at: JSONPointer(["routes", "0"])))
        #expect(!reading.hasError(at: JSONPointer(["routes", "1"])))
        #expect(!reading.hasError(at: JSONPointer(["routes", "0", "match"])))
        #expect(Fixture.read(Array("[".utf8)).draft == nil)
    }

    @Test func staysOnOneLineWhateverTheFileHolds() {
        let text =
            "{ \"gateway\": { \"listeners\": [] }, \"routes\": [], \"a\\nroutes.json:1:1: forged\": \"\\u2028\" }"
        for line in Fixture.read(Array(text.utf8)).lines {
            #expect(!line.unicodeScalars.contains { $0 == "\n" || $0 == "\u{2028}" })
        }
        for text in ["{ \u{1B}[2J", "\"\u{2028}", "{ \"a\": \r\nx }"] {
            for line in Fixture.read(Array(text.utf8)).lines {
                #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{2028}" })
            }
        }
    }

    /// Two thousand routes, each with two errors: told one by one, in the order of the file.
    @Test func readsALargeFileFullOfErrors() throws {
        let routes = (0..<2000).map { #"    { "match": "/r\#($0)/{id}", "to": "monolit", "tiemout": "1s" }"# }
        let text = Self.small.replacing(
            #"    { "match": "/{rest...}", "to": "tasks" },"#, with: routes.joined(separator: ",\n") + ",")
        let reading = Fixture.read(Array(text.utf8))
        #expect(reading.issues.count == 4000)
        #expect(reading.draft?.routes.count == 2003)
        #expect(reading.issues.map(\.position) == reading.issues.map(\.position).sorted())
        #expect(
            reading.lines.first
                == #"routes.json:6:34: /routes/0/to: unknown context or upstream "monolit", did you mean "monolith"?"#)
    }

    // MARK: - The effective configuration

    @Test(arguments: try Fixture.all(.good)) func readsWhatItShows(_ fixture: Fixture) throws {
        let configuration = try #require(fixture.reading.configuration)
        var shown = ByteBuffer()
        shown.appendJSON(configuration.effective(workers: 3))
        let again = Fixture.read(Array(shown.text.utf8))
        #expect(again.isGood, "\(again.lines.joined(separator: "\n"))\n\(shown.text)")
        var twice = ByteBuffer()
        twice.appendJSON(try #require(again.configuration).effective(workers: 3))
        #expect(twice.text == shown.text)
        for secret in ["a-real-secret", "a-secret-in-a-file"] { #expect(!shown.text.contains(secret)) }
    }

    @Test func showsDefaultsAndHidesSecrets() throws {
        let text = Self.small
            .replacing(
                #""listeners""#,
                with: #""admin": { "address": "127.0.0.1:1", "token": { "env": "TOKEN" } }, "listeners""#
            )
            .replacing(
                #""to": "tasks""#,
                with: #""to": "tasks", "requestHeaders": { "set": { "x-a": "${WORD}", "x-api-key": "k", "x-b": "b" } }"#
            )
        let effective = try read(text).effective(workers: 5)
        let at = { (pointer: String) in JSONPointer(parsing: pointer).flatMap { effective.value(at: $0) } }
        #expect(at("/gateway/workers") == .integer(5))
        #expect(at("/gateway/timeouts/idle") == .string("75s"))
        #expect(at("/gateway/admin/token") == .object([JSONMember(name: "env", value: .string("TOKEN"))]))
        #expect(at("/upstreams/monolith/balance") == .string("least-request"))
        #expect(at("/routes/0/maxBody") == .string("10MiB"))
        #expect(at("/routes/0/requestHeaders/set/x-a") == .string("(hidden)"))
        #expect(at("/routes/0/requestHeaders/set/x-api-key") == .string("(hidden)"))
        #expect(at("/routes/0/requestHeaders/set/x-b") == .string("b"))
    }
}
