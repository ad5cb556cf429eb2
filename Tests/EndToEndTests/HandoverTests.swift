import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// One process takes the listening sockets over from another one (docs/operations.md, "Replacing a process").
    @Suite
    struct Handovers {
        private static let python = "/usr/bin/python3"
        private static let hasPython = access(python, X_OK) == 0
        private static let script =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Clients/take_over.py"

        /// A gateway whose sockets the next one can have: HTTP in clear and by TLS, and a unix socket.
        private static func setup(_ stub: StubUpstream, _ folder: TemporaryFolder) throws -> GatewaySetup {
            let certificates = try CertificateFolder()
            try certificates.make("site")
            for name in ["site.crt", "site.key"] {
                try folder.write(name, try String(contentsOfFile: certificates.file(name), encoding: .utf8))
            }
            var setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
                .gateway(#""accessLog": false"#)
            setup.listeners = [
                #"{"address": "127.0.0.1:0"}"#,
                #"{"address": "127.0.0.1:0", "tls": {"certificate": "site.crt", "key": "site.key"}}"#,
                #"{"address": "unix:gateway.sock"}"#,
            ]
            return setup
        }

        private static func curl(_ words: String...) -> @Sendable () throws -> String? {
            {
                let answer = try Curl(words: words)
                return answer.exitCode == 0 && answer.status == 200 ? nil : "\(answer)"
            }
        }

        @Test(
            "Six times at a steady load: not one request fails, on kept connections, on new ones, by HTTP/2 and by TLS",
            .enabled(if: CertificateFolder.isPossible, "needs openssl"), .timeLimit(.minutes(5)))
        func underLoad() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let setup = try Self.setup(stub, folder)
            var current = try GatewayProcess(setup, workers: 2, folder: folder)
            let places = current.places
            let kept = SteadyLoad(places[0], clients: 4, pause: 0.005)
            let loads = [
                "new connections": ChurnLoad(clients: 4, ChurnLoad.fresh(places[0])),
                "a unix socket": ChurnLoad(clients: 1, ChurnLoad.fresh(places[2])),
                "the admin listener": ChurnLoad(clients: 1) { [place = current.adminPlace] in
                    // Whoever it is that answers, somebody does.
                    let answer = try RawClient(place).exchange("GET /healthz")
                    return answer.status == 200 ? nil : "\(answer)"
                },
                "HTTP/2 in clear": ChurnLoad(
                    clients: 1, Self.curl("--http2-prior-knowledge", "http://\(places[0])/h2")),
                "HTTP/2 by TLS": ChurnLoad(
                    clients: 1,
                    Self.curl("--http2", "--insecure", "https://\(places[1])/h2")),
            ]
            for workers in [3, 1, 2, 2, 1, 4] {
                let before = loads.mapValues(\.tally.done)
                let next = try GatewayProcess(setup, workers: workers, folder: folder)
                #expect(next.places == places && next.adminPlace == current.adminPlace, "\(next.process.transcript)")
                #expect(try current.process.end() == 0, "\(current.process.transcript)")
                current = next
                try eventually("every client goes on") {
                    loads.allSatisfy { $1.tally.done > before[$0, default: 0] + 3 }
                }
            }
            let seen = try kept.end()
            #expect(seen.safe > 200 && seen.failures.isEmpty && seen.unsafeFailures == 0, "\(seen.failures.prefix(3))")
            for (name, load) in loads {
                let tally = try load.end()
                #expect(
                    tally.failures.isEmpty,
                    "\(name): \(tally.failures.count) of \(tally.done): \(tally.failures.prefix(3))")
            }
            #expect(try current.terminate() == 0)
            for name in ["gateway.sock", "handover.sock"] {
                #expect(!FileManager.default.fileExists(atPath: folder.file(name)), "\(name) is left")
            }
        }

        @Test("A request that runs is answered by the process that has it, and a signal does not cut it off")
        func runningRequest() throws {
            let gate = Gate()
            let stub = try StubUpstream.holding(gate)
            defer { gate.open() }
            let folder = try TemporaryFolder()
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
            let old = try GatewayProcess(setup, folder: folder)
            let held = try old.client().request("GET /held")
            try eventually("the request is at its upstream") { !stub.requests.isEmpty }
            let new = try GatewayProcess(setup, folder: folder)
            try old.process.line("that it hands over", in: .errors) { $0.contains("another process serves") }
            old.process.signal(SIGTERM)
            try old.process.line("that it drains already", in: .errors) { $0.contains("draining already") }
            for _ in 0..<20 { #expect(try new.exchange("GET /").text == "ok") }
            #expect(old.process.exitCode == nil)
            gate.open()
            let answer = try held.response()
            #expect(answer.text == "ok" && answer["connection"] == "close", "\(held.transcript)")
            #expect(try old.process.end() == 0)
            #expect(try new.exchange("GET /after").text == "ok")
        }

        @Test("A new process with a broken configuration, or with an address that is taken, changes nothing")
        func brokenConfiguration() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
            let gateway = try GatewayProcess(setup, folder: folder)
            let load = ChurnLoad(clients: 2, ChurnLoad.fresh(gateway.place))
            let (listener, taken) = try SocketPlace.ipv4(port: 0).listen()
            defer { close(listener) }
            var second = setup
            second.listeners.append(#"{"address": "\#(taken)"}"#)
            for (text, code) in [(setup.route(#"{"match": "/a", "tu": 1}"#).text, 78), (second.text, 69)] {
                try folder.write("broken.json", text)
                let process = try RunningProcess(Binaries.path("banyan"), ["run", "-c", folder.file("broken.json")])
                #expect(try Int(process.end()) == code, "\(process.transcript)")
            }
            try gateway.process.line("that the other has gone", in: .errors) {
                $0.contains("has gone before it served")
            }
            let before = load.tally.done
            try eventually("the load goes on") { load.tally.done > before + 20 }
            #expect(try load.end().failures == [])
            #expect(try gateway.admin("/readyz").status == 200)
        }

        @Test(
            "A process that is killed before it serves leaves everything as it was; meanwhile no third one takes over",
            .enabled(if: hasPython, "needs Python"))
        func killedBeforeReadiness() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
            let gateway = try GatewayProcess(setup, workers: 2, folder: folder)
            let load = ChurnLoad(clients: 4, ChurnLoad.fresh(gateway.place))
            for _ in 0..<3 {
                let taker = try RunningProcess(Self.python, [Self.script, folder.file("handover.sock")])
                // Two workers, the admin listener and the desk itself.
                try taker.line("its sockets") { $0.hasPrefix("4 sockets") }
                let third = try RunningProcess(Binaries.path("banyan"), ["run", "-c", folder.file("routes.json")])
                #expect(try third.end() == 69, "\(third.transcript)")
                #expect(third.lines(.errors).contains { $0.contains("another process is taking over") })
                let gone = Self.count("has gone before it served", gateway)
                taker.signal(SIGKILL)
                try eventually("it is noticed") { Self.count("has gone before it served", gateway) > gone }
            }
            let before = load.tally.done
            try eventually("the load goes on") { load.tally.done > before + 20 }
            #expect(try load.end().failures == [])
            let next = try GatewayProcess(setup, workers: 2, folder: folder)
            #expect(try gateway.process.end() == 0, "\(gateway.process.transcript)")
            #expect(try next.exchange("GET /").text == "ok")
        }

        private static func count(_ text: String, _ gateway: GatewayProcess) -> Int {
            gateway.process.lines(.errors).count { $0.contains(text) }
        }

        @Test("Whoever says something else is refused, and the socket is for its user alone")
        func garbage() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#), folder: folder)
            let path = folder.file("handover.sock")
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
            for text in ["GET / HTTP/1.1\r\n\r\n", "banyan-handover 2\n", "ready\n", "\u{0}"] {
                let descriptor = try Self.connect(path)
                defer { close(descriptor) }
                #expect(send(descriptor, text, text.utf8.count, CInt(MSG_NOSIGNAL)) == text.utf8.count)
                var byte: UInt8 = 0
                #expect(recv(descriptor, &byte, 1, 0) == 0, "\(text.debugDescription) is answered")
            }
            try eventually("each is told of") { Self.count("refused a process", gateway) == 4 }
            #expect(try gateway.exchange("GET /").text == "ok")
        }

        @Test(
            "Whatever is said, with whatever descriptors beside it: none of them stays, and the next process can come",
            .enabled(if: hasPython, "needs Python"))
        func strangeMessages() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
            let gateway = try GatewayProcess(setup, folder: folder)
            #expect(try gateway.exchange("GET /").text == "ok")
            let before = try Self.descriptors(of: gateway)
            let script = URL(fileURLWithPath: Self.script).deletingLastPathComponent().path + "/strange_visitor.py"
            let visitor = try RunningProcess(Self.python, [script, folder.file("handover.sock")])
            #expect(try visitor.end() == 0, "\(visitor.transcript)")
            #expect(visitor.lines().dropLast().allSatisfy { $0 == "0" }, "\(visitor.transcript)")
            #expect(visitor.lines().last.flatMap { Int($0) } ?? 0 > 0, "the sockets: \(visitor.transcript)")
            try eventually("no descriptor is left") { try Self.descriptors(of: gateway) <= before }
            #expect(try gateway.exchange("GET /").text == "ok")
            let next = try GatewayProcess(setup, folder: folder)
            #expect(try gateway.process.end() == 0 && next.exchange("GET /").text == "ok")
        }

        /// How many descriptors a gateway has open, its connections aside.
        private static func descriptors(of gateway: GatewayProcess) throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(gateway.process.pid)/fd").count
        }

        @Test(
            "Those who connect and say nothing are waited for a while; who comes meanwhile is told why it gets nothing")
        func silentVisitors() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
            let gateway = try GatewayProcess(setup, folder: folder)
            let silent = try (0..<8).map { _ in try Self.connect(folder.file("handover.sock")) }
            defer { for descriptor in silent { close(descriptor) } }
            let early = try RunningProcess(Binaries.path("banyan"), ["run", "-c", folder.file("routes.json")])
            #expect(try early.end() == 69, "\(early.transcript)")
            try gateway.process.line("why it gets nothing", in: .errors) { $0.contains("say nothing") }
            #expect(try gateway.exchange("GET /").text == "ok")
            for descriptor in silent {
                var byte: UInt8 = 0
                #expect(recv(descriptor, &byte, 1, 0) == 0)
            }
            let next = try GatewayProcess(setup, folder: folder)
            #expect(try gateway.process.end() == 0 && next.exchange("GET /").text == "ok")
        }

        private static func connect(_ path: String) throws -> CInt {
            let descriptor = socket(AF_UNIX, CInt(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var patience = timeval(tv_sec: 30, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let status = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            guard status == 0 else { throw ExchangeFailure("cannot connect to \(path)") }
            return descriptor
        }

        @Test(
            "A process of another user gets nothing, even where the file lets it connect",
            .enabled(if: hasPython && geteuid() == 0, "needs Python, and root to become somebody else"))
        func otherUser() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#), folder: folder)
            let path = folder.file("handover.sock")
            #expect(chmod(folder.path, 0o755) == 0 && chmod(path, 0o666) == 0)
            // A copy that anybody can read: the sources may lie where they cannot.
            try folder.write("take_over.py", try String(contentsOfFile: Self.script, encoding: .utf8))
            let taker = try RunningProcess(Self.python, [folder.file("take_over.py"), path, "65534"])
            try taker.line("that it gets none") { $0.hasPrefix("0 sockets") }
            try gateway.process.line("that it was refused", in: .errors) { $0.contains("of another user") }
            #expect(try gateway.exchange("GET /").text == "ok")
        }

        @Test("A socket file that a killed process has left is replaced")
        func staleSocket() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""handover": "handover.sock""#)
            let killed = try GatewayProcess(setup, folder: folder)
            killed.process.signal(SIGKILL)
            _ = try killed.process.end()
            let next = try GatewayProcess(setup, folder: folder)
            #expect(try next.exchange("GET /").text == "ok")
            let last = try GatewayProcess(setup, folder: folder)
            #expect(try next.process.end() == 0 && last.places == next.places)
        }
    }
}
