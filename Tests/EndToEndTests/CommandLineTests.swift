import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// `banyan check`, `explain` and `demo`: what a newcomer runs first.
    @Suite
    struct CommandLine {
        private static let view =
            #"{"match": "GET /tasks/{id}/details", "aggregate": {"task": {"from": "tasks", "get": "/tasks/{id}"}, "#
            + #""user": {"from": "users", "get": "/users/{task.user_id}", "optional": true}}}"#

        private static let flags =
            #"{"flags": {"use_new": {"state": "ENABLED", "variants": {"on": true, "off": false}, "#
            + #""defaultVariant": "off", "targeting": {"fractional": [["on", 50], ["off", 50]]}}}}"#

        /// Runs `banyan` with a configuration; gives exit code, output and errors.
        private func banyan(
            _ arguments: String..., setup: GatewaySetup
        ) throws -> (code: Int32, output: String, errors: String) {
            let folder = try TemporaryFolder()
            try folder.write("routes.json", setup.text)
            try folder.write("flags.json", Self.flags)
            let process = try RunningProcess(
                Binaries.path("banyan"), arguments + ["-c", folder.file("routes.json")])
            let code = try process.end()
            return (
                code, process.lines().joined(separator: "\n"), process.lines(.errors).joined(separator: "\n")
            )
        }

        private static let setup = GatewaySetup()
            .upstream("monolith", url: "http://127.0.0.1:1").upstream("service", url: "http://127.0.0.1:2")
            .context(#""users": {"off": "monolith", "on": "service", "flag": "use_new"}"#)
            .context(#""tasks": {"off": "monolith"}"#)
            .gateway(#""identity": [{"header": "x-user-id"}]"#)
            .route(#"{"match": "/{rest...}", "to": "monolith"}"#)
            .route(#"{"match": "/users/{rest...}", "to": "users"}"#).route(view)

        @Test("check shows the routes in the order in which they are tried, and what each flag does")
        func check() throws {
            let (code, output, errors) = try banyan("check", setup: Self.setup)
            #expect(code == 0, "\(errors)")
            let view = try #require(output.range(of: "GET /tasks/{id}/details"), "\(output)")
            let users = try #require(output.range(of: "/users/{rest...}"), "\(output)")
            let all = try #require(output.range(of: "\n  /{rest...}"), "\(output)")
            #expect(users.lowerBound < all.lowerBound && view.lowerBound < all.lowerBound, "\(output)")
            #expect(output.contains("use_new") && output.contains("50 % on"), "\(output)")
        }

        @Test("check names every error with its place, and what was meant; exit code 78")
        func checkFails() throws {
            let bad = Self.setup.route(#"{"match": "/a", "to": "monolit"}"#).route(#"{"mtach": "/b", "to": "users"}"#)
                .route(#"{"match": "/c/{x}", "to": "users"}"#).route(#"{"match": "/c/{y}", "to": "users"}"#)
            let (code, output, errors) = try banyan("check", setup: bad)
            #expect(code == 78, "\(output)\n\(errors)")
            #expect(errors.contains(#"did you mean "monolith""#), "\(errors)")
            #expect(errors.contains(#"did you mean "match""#), "\(errors)")
            #expect(errors.contains("/routes/6"), "the routes that conflict: \(errors)")
            for line in errors.split(separator: "\n").dropLast() {
                #expect(line.contains(#/routes\.json:\d+:\d+: (warning: )?\//#), "no place in: \(line)")
            }
        }

        @Test("explain tells route, decision with its bucket, upstream and parts, and asks no upstream")
        func explain() throws {
            let stub = try StubUpstream.saying("never asked")
            let setup = GatewaySetup().upstream("monolith", stub).upstream("service", stub)
                .context(#""users": {"off": "monolith", "on": "service", "flag": "use_new"}"#)
                .context(#""tasks": {"off": "monolith"}"#)
                .gateway(#""identity": [{"header": "x-user-id"}]"#).route(Self.view)
            let (code, output, errors) = try banyan("explain", "GET /tasks/42/details", "--user", "7", setup: setup)
            #expect(code == 0, "\(errors)")
            for word in ["GET /tasks/{id}/details", "use_new", "bucket", "part task", "after task", "42", "monolith"] {
                #expect(output.contains(word), "nothing on \(word):\n\(output)")
            }
            #expect(stub.connections == 0)
            #expect(try banyan("explain", "nonsense", setup: setup).code == 64)
        }

        @Test("explain takes header fields: they choose the route, name the user, and are refused where they are none")
        func explainWithHeaders() throws {
            let setup = GatewaySetup()
                .upstream("old", url: "http://127.0.0.1:1").upstream("new", url: "http://127.0.0.1:2")
                .context(#""users": {"off": "old", "on": "new", "flag": "use_new"}"#)
                .gateway(#""identity": [{"header": "x-user-id"}]"#)
                .route(#"{"match": "/{rest...}", "to": "users"}"#)
                .route(
                    #"{"match": "/{rest...}", "when": {"header": {"x-api-version": "2"}}, "to": "new", "name": "v2"}"#)
            let plain = try banyan("explain", "GET /a", setup: setup)
            #expect(plain.code == 0 && !plain.output.contains("v2"), "\(plain.output)\n\(plain.errors)")
            for option in ["--header", "-H"] {
                let (code, output, errors) = try banyan("explain", "GET /a", option, "X-Api-Version: 2", setup: setup)
                #expect(code == 0 && output.contains("v2"), "\(output)\n\(errors)")
            }
            // The same user by a header and by the option is decided in the same way.
            let byHeader = try banyan(
                "explain", "GET /a", "--header", "x-user-id: 7", "-H", "accept: */*", setup: setup)
            let byOption = try banyan("explain", "GET /a", "--user", "7", setup: setup)
            #expect(byHeader.code == 0 && byHeader.output.contains("bucket"), "\(byHeader.output)\n\(byHeader.errors)")
            #expect(byHeader.output == byOption.output)
            for wrong in ["no colon", "two words: x", ": x", "x: a\r\ny: b"] {
                let (code, output, errors) = try banyan("explain", "GET /a", "--header", wrong, setup: setup)
                #expect(code == 64 && !errors.isEmpty, "\(wrong.debugDescription): \(output)\n\(errors)")
            }
        }

        @Test("A wrong option: exit code 64, and help that shows how it is meant")
        func usage() throws {
            let wrong = try RunningProcess(Binaries.path("banyan"), ["run", "--wokers", "2"])
            #expect(try wrong.end() == 64, "\(wrong.transcript)")
            let help = try RunningProcess(Binaries.path("banyan"), ["run", "--help"])
            #expect(try help.end() == 0)
            #expect(help.lines().contains { $0.contains("EXAMPLES") }, "\(help.transcript)")
        }

        @Test("demo starts the services and the gateway, and ends with no process left")
        func demo() throws {
            let folder = try TemporaryFolder()
            let setup = GatewaySetup()
                .upstream("monolith", url: "http://127.0.0.1:\(try SocketPlace.freePort())")
                .upstream("users", url: "http://127.0.0.1:\(try SocketPlace.freePort())")
                .context(#""users": {"off": "monolith", "on": "users", "flag": "use_new"}"#)
                .route(#"{"match": "/{rest...}", "to": "monolith"}"#)
                .route(#"{"match": "/users/{rest...}", "to": "users"}"#)
            try folder.write("routes.json", setup.text)
            try folder.write(
                "flags.json", Self.flags.replacingOccurrences(of: #""off", "targeting""#, with: #""on", "x""#))
            let demo = try RunningProcess(Binaries.path("banyan"), ["demo", "-c", folder.file("routes.json")])
            defer { demo.signal(SIGTERM) }
            try demo.line("what to try") { $0.contains("Ctrl-C ends everything") }
            let children = try Self.children(of: demo.pid)
            #expect(children.count == 3, "\(demo.transcript)")
            let address = try demo.line("where the gateway listens") {
                $0.hasPrefix("gateway") && $0.contains("listening on")
            }
            let place = try #require(
                address.components(separatedBy: "listening on ").last.flatMap { SocketPlace(parsing: $0) })
            let answer = try RawClient(place).exchange("GET /tasks/1")
            #expect(answer.status == 200 && answer["served-by"] == "monolith", "\(answer)")
            demo.signal(SIGINT)
            #expect(try demo.end() == 0, "\(demo.transcript)")
            try eventually("every process has ended: \(demo.transcript)") { !children.contains(where: Self.isRunning) }
        }

        /// The folder of a shipped demo whose ports are free ones, with certificates as scripts/make-certs.sh makes them.
        private static func shippedDemo() throws -> (folder: TemporaryFolder, ports: [Int: Int]) {
            let folder = try TemporaryFolder()
            let root = URL(filePath: #filePath).appending(path: "../../..").standardized
            for name in ["certs", "scripts", "sidecars"] {
                try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
            }
            let script = "scripts/make-certs.sh"
            try FileManager.default.copyItem(atPath: root.appending(path: script).path, toPath: folder.file(script))
            let certificates = try RunningProcess(folder.file(script), [])
            guard try certificates.end() == 0 else {
                throw ExchangeFailure("\(script) failed", transcript: certificates.transcript)
            }
            let shipped = [8080, 8443, 9901, 9000, 9001, 9002, 9003, 9004, 9005, 9014]
            let ports = Dictionary(uniqueKeysWithValues: zip(shipped, try SocketPlace.freePorts(shipped.count)))
            for file in ["routes.json", "flags.json", "sidecars/notifications.json"] {
                var text = try String(contentsOf: root.appending(path: file), encoding: .utf8)
                for (old, new) in ports {
                    text = text.replacingOccurrences(of: "127.0.0.1:\(old)", with: "127.0.0.1:\(new)")
                }
                try folder.write(file, text)
            }
            return (folder, ports)
        }

        @Test("The shipped demo: every context, https, and the notifications service by mutual TLS alone")
        func shipped() throws {
            let (folder, ports) = try Self.shippedDemo()
            func port(_ shipped: Int) throws -> Int { try #require(ports[shipped]) }
            let demo = try RunningProcess(Binaries.path("banyan"), ["demo", "-c", folder.file("routes.json")])
            defer { demo.signal(SIGTERM) }
            try demo.line("what to try") { $0.contains("Ctrl-C ends everything") }
            let children = try Self.children(of: demo.pid)
            #expect(children.count == 8, "monolith, five services, a sidecar, the gateway: \(demo.transcript)")
            let clear = "http://127.0.0.1:\(try port(8080))"
            let before = try Curl("\(clear)/notifications")
            #expect(before.status == 200 && before.answer?["banyan-served-by"] == "monolith", "\(before)")
            let change = #"/use_notification_service/,/}/s/"defaultVariant": "off"/"defaultVariant": "on"/"#
            #expect(try RunningProcess("/bin/sed", ["-i", change, folder.file("flags.json")]).end() == 0)
            try eventually("the service serves: \(demo.transcript)") {
                try Curl("\(clear)/notifications").answer?["banyan-served-by"] == "notifications"
            }
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            let authority = ["--cacert", folder.file("certs/ca.crt")]
            let after = try Curl(
                words: authority + [
                    "--http2", "-H", "traceparent: 00-\(trace)-00f067aa0ba902b7-01",
                    "https://localhost:\(try port(8443))/notifications",
                ])
            #expect(after.status == 200 && after.answer?["served-by"] == "notifications", "\(after)")
            #expect(after.answer?.values("banyan-served-by") == ["notifications"], "the sidecar keeps quiet: \(after)")
            for process in ["gateway", "notifications+tls", "notifications "] {
                try demo.line("of \(process) with the trace") { $0.hasPrefix(process) && $0.contains(trace) }
            }
            let page = "http://127.0.0.1:\(try port(9901))/traces"
            try demo.line("where the traces are") { $0.contains(page) }
            #expect(try Curl(page).status == 200)
            try eventually("the trace is shown") {
                "\(try Curl("\(page).json?trace=\(trace)"))".contains("GET /notifications/{")
            }
            let sidecar = "https://localhost:\(try port(9004))/notifications"
            let stranger = try Curl(words: authority + [sidecar])
            #expect(stranger.status != 200, "\(stranger)")
            let certificate = ["cert", "key"].flatMap {
                ["--\($0)", folder.file("certs/gateway-client.\($0 == "cert" ? "crt" : "key")")]
            }
            let known = try Curl(words: authority + certificate + [sidecar])
            #expect(known.status == 200 && known.answer?["served-by"] == "notifications", "\(known)")
            demo.signal(SIGINT)
            #expect(try demo.end() == 0, "\(demo.transcript)")
            try eventually("every process has ended: \(demo.transcript)") { !children.contains(where: Self.isRunning) }
        }

        @Test("A sidecar that names no service of its own is refused with where and what to do: exit code 78")
        func sidecarOfNobody() throws {
            let (folder, _) = try Self.shippedDemo()
            let sidecar = try String(contentsOfFile: folder.file("sidecars/notifications.json"), encoding: .utf8)
            try folder.write(
                "sidecars/notifications.json",
                sidecar.replacingOccurrences(of: #""notifications": "http"#, with: #""x": "http"#)
                    .replacingOccurrences(of: #""to": "notifications""#, with: #""to": "x""#))
            let demo = try RunningProcess(Binaries.path("banyan"), ["demo", "-c", folder.file("routes.json")])
            defer { demo.signal(SIGTERM) }
            #expect(try demo.end() == 78, "\(demo.transcript)")
            let said = demo.lines(.errors).joined()
            #expect(
                said.contains("sidecars/notifications.json") && said.contains("\"notifications\""), "\(demo.transcript)"
            )
        }

        /// Whether the process exists and is more than an entry that its parent has not asked about yet.
        private static func isRunning(_ pid: pid_t) -> Bool {
            guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let name = text.lastIndex(of: ")")
            else { return false }
            return !text[name...].hasPrefix(") Z")
        }

        private static func children(of parent: pid_t) throws -> [pid_t] {
            let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(parent)/task")
            return tasks.flatMap { task in
                let text = try? String(contentsOfFile: "/proc/\(parent)/task/\(task)/children", encoding: .utf8)
                return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
            }
        }
    }
}
