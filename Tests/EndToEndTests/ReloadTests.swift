import Foundation
import Testing

extension EndToEnd {
    /// What changes while the gateway runs: flags per user, and files that are replaced under it.
    @Suite
    struct Reloads {
        private static let on = flags(defaultVariant: "on")
        private static let off = flags(defaultVariant: "off")
        private static let perUser = flags(
            defaultVariant: "off", targeting: #"{"if": [{"in": [{"var": "targetingKey"}, ["1", "2"]]}, "on", null]}"#)

        private static func flags(defaultVariant: String, targeting: String? = nil) -> String {
            #"{"flags": {"use_new": {"state": "ENABLED", "variants": {"on": true, "off": false}, "#
                + #""defaultVariant": "\#(defaultVariant)"\#(targeting.map { #", "targeting": \#($0)"# } ?? "")}}}"#
        }

        /// A context whose flag decides between two services that say which one they are.
        private struct Migration {
            let old = Result { try StubUpstream.saying("old") }
            let new = Result { try StubUpstream.saying("new") }

            func setup() throws -> GatewaySetup {
                try GatewaySetup().upstream("monolith", old.get()).upstream("service", new.get())
                    .context(#""users": {"off": "monolith", "on": "service", "flag": "use_new"}"#)
                    .route(#"{"match": "/users/{rest...}", "to": "users"}"#)
                    .gateway(#""identity": [{"header": "x-user-id"}, {"cookie": "banyan_id"}]"#)
            }
        }

        @Test("A flag that is changed in its file sends the next requests elsewhere, without a restart")
        func flagFlip() throws {
            let migration = Migration()
            let gateway = try GatewayProcess(migration.setup(), flags: Self.off, workers: 2)
            let client = try gateway.client()
            let before = try client.exchange("GET /users/1")
            #expect(before.text == "old" && before["banyan-served-by"] == "monolith", "\(client.transcript)")
            try gateway.folder.write("flags.json", Self.on)
            try eventually("the service answers") { try client.exchange("GET /users/1").text == "new" }
            let after = try client.exchange("GET /users/flipped")
            #expect(after["banyan-served-by"] == "service", "the same connection goes on: \(client.transcript)")
            #expect(try migration.new.get().lastRequest()["baggage"]?.contains("feature_flag.use_new=on") == true)
            let line = try gateway.logLine(path: "/users/flipped")
            let flag = (line["flags"] as? [String: Any])?["use_new"] as? [String: Any]
            #expect(flag?["variant"] as? String == "on" && flag?["reason"] as? String == "static", "\(line)")
            #expect(line["upstream"] as? String == "service")
        }

        @Test("A flag decides for each user, whether named by a header of a trusted peer or by a cookie")
        func perUser() throws {
            let migration = Migration()
            let setup = try migration.setup()
            let gateway = try GatewayProcess(
                setup.gateway(#""trustedProxies": ["127.0.0.0/8"]"#), flags: Self.perUser)
            let client = try gateway.client()
            #expect(try client.exchange("GET /users", ["X-User-Id: 1"]).text == "new", "\(client.transcript)")
            #expect(try client.exchange("GET /users", ["X-User-Id: 3"]).text == "old", "\(client.transcript)")
            #expect(
                try client.exchange("GET /users", ["Cookie: a=b; banyan_id=2"]).text == "new", "\(client.transcript)")
            #expect(try client.exchange("GET /users").text == "old", "\(client.transcript)")

            let edge = try GatewayProcess(setup, flags: Self.perUser)
            let stranger = try edge.client()
            let answer = try stranger.exchange("GET /users/stranger", ["X-User-Id: 1", "x_user_id: 1"])
            #expect(answer.text == "old", "anybody can say who they are: \(stranger.transcript)")
            let request = try migration.old.get().lastRequest()
            #expect(request.target == "/users/stranger" && !request.description.lowercased().contains("user-id"))
            #expect(!request.description.lowercased().contains("x_user_id"), "\(request)")
        }

        @Test("A flag file that is broken never fails a request: the old one goes on")
        func brokenFlags() throws {
            let migration = Migration()
            let gateway = try GatewayProcess(migration.setup(), flags: Self.on)
            let client = try gateway.client()
            #expect(try client.exchange("GET /users").text == "new", "\(client.transcript)")
            try gateway.folder.write("flags.json", #"{"flags": {"use_new": "#)
            try eventually("the broken file is refused") { try !Self.refusals(gateway).isEmpty }
            #expect(
                try Self.refusals(gateway).contains { $0.contains("flags.json:1:") })
            #expect(try client.exchange("GET /users").text == "new", "\(client.transcript)")
            try gateway.reload("flags.json", Self.off)
            #expect(try client.exchange("GET /users").text == "old", "\(client.transcript)")
            #expect(try Self.refusals(gateway).isEmpty)
        }

        @Test("routes.json with errors is refused, each error reported, and the old one goes on")
        func badRoutes() throws {
            let migration = Migration()
            let setup = try migration.setup()
            let gateway = try GatewayProcess(setup, flags: Self.off, workers: 2)
            let client = try gateway.client()
            #expect(try client.exchange("GET /users").text == "old", "\(client.transcript)")
            let bad = setup.route(#"{"match": "/a", "to": "nobody"}"#).route(#"{"match": "/b", "tu": "users"}"#)
            try gateway.folder.write("routes.json", bad.text)
            try eventually("the bad file is refused") { try !Self.refusals(gateway).isEmpty }
            let refusals = try Self.refusals(gateway)
            #expect(refusals.contains { $0.contains("routes.json:") && $0.contains(#""nobody""#) }, "\(refusals)")
            #expect(refusals.contains { $0.contains(#""tu""#) }, "\(refusals)")
            #expect(try gateway.generation() == 1)
            #expect(try client.exchange("GET /users").text == "old", "\(client.transcript)")
            #expect(gateway.process.lines(.errors).contains { $0.contains("nobody") }, "\(gateway.process.transcript)")

            try gateway.reload("routes.json", setup.route(#"{"match": "/b", "respond": {"status": 204}}"#).text)
            try eventually("every worker has it") {
                try (0..<8).allSatisfy { _ in try gateway.exchange("GET /b").status == 204 }
            }
            #expect(try Self.refusals(gateway).isEmpty)
            #expect(try client.exchange("GET /users").text == "old", "the connection goes on: \(client.transcript)")
        }

        @Test(
            "Files that go away, or become something that cannot be read, change nothing but what is said",
            arguments: ["routes.json", "flags.json"])
        func filesGoAway(_ name: String) throws {
            let migration = Migration()
            let gateway = try GatewayProcess(migration.setup(), flags: Self.on, workers: 2)
            let client = try gateway.client()
            let file = gateway.folder.file(name)
            let kept = gateway.folder.file("kept")
            func isSaid(_ words: String) throws {
                try gateway.process.line(words, in: .errors) { $0.contains(words) && $0.contains(name) }
                #expect(try client.exchange("GET /users").text == "new", "\(client.transcript)")
            }
            rename(file, kept)
            try isSaid("there is no file")
            try #require(mkdir(file, 0o700) == 0)
            try isSaid("is a folder, not a file")
            try #require(rmdir(file) == 0 && mkfifo(file, 0o600) == 0)
            // A writer that says nothing must not hold what serves signals and probes.
            let writer = open(file, O_RDWR)
            defer { close(writer) }
            try isSaid("cannot be read")
            #expect(try gateway.admin("/healthz").status == 200)
            rename(kept, file)
            try eventually("all is as before") { try Self.refusals(gateway).isEmpty && gateway.generation() > 1 }
            try gateway.reload("flags.json", Self.off)
            #expect(try client.exchange("GET /users").text == "old", "\(client.transcript)")
            #expect(try gateway.terminate() == 0)
        }

        @Test("SIGHUP rereads the files, also where nothing tells that they changed")
        func hangUp() throws {
            let migration = Migration()
            let gateway = try GatewayProcess(migration.setup(), flags: Self.off)
            let before = try gateway.generation()
            gateway.process.signal(SIGHUP)
            try eventually("a new generation") { try gateway.generation() > before }
            #expect(try gateway.exchange("GET /users").text == "old")
        }

        @Test("A request in flight ends on the configuration that it began with")
        func inFlight() throws {
            let gate = Gate()
            let slow = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
                try gate.wait()
                try connection.send("more")
            }
            defer { gate.open() }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: slow))
            let client = try gateway.client().request("GET /slow")
            _ = try client.wire.head()
            let next = GatewaySetup().route(#"{"match": "/{rest...}", "respond": {"status": 418, "body": "new"}}"#)
            try gateway.reload("routes.json", next.text)
            try eventually("the worker has it") { try gateway.exchange("GET /").status == 418 }
            gate.open()
            #expect(try client.wire.take(8) == Array("halfmore".utf8), "\(client.transcript)")
            #expect(try client.exchange("GET /").status == 418, "\(client.transcript)")
        }

        @Test("The admin listener tells what is in force")
        func admin() throws {
            let migration = Migration()
            let gateway = try GatewayProcess(migration.setup(), flags: Self.perUser, workers: 2)
            #expect(try gateway.admin("/healthz").status == 200)
            #expect(try gateway.admin("/readyz").status == 200)
            let status = try gateway.admin("/status").json
            #expect(status["workers"] as? Int == 2 && status["draining"] as? Bool == false, "\(status)")
            #expect(status["listeners"] as? [String] == [gateway.place.description])
            let flags = try gateway.admin("/flags").json["flags"] as? [[String: Any]]
            #expect(flags?.first?["key"] as? String == "use_new", "\(String(describing: flags))")
            let configuration = try gateway.admin("/config").json
            #expect((configuration["contexts"] as? [String: Any])?["users"] != nil, "\(configuration)")
            #expect(try gateway.admin("/nothing").status == 404)
            #expect(try gateway.exchange("GET /healthz").status == 404, "the pages are not on the public listener")
        }

        private static func refusals(_ gateway: GatewayProcess) throws -> [String] {
            try gateway.admin("/status").json["refusedReload"] as? [String] ?? []
        }
    }
}
