import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// Start, listeners, signals and the end (http-behaviour §7, security §3).
    @Suite
    struct Lifecycle {
        @Test("IPv4, IPv6 and unix sockets are served")
        func listeners() throws {
            let folder = try TemporaryFolder()
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub)
                .listeners("127.0.0.1:0", "[::1]:0", "unix:\(folder.file("gateway.sock"))")
            let gateway = try GatewayProcess(setup, workers: 2, folder: folder)
            #expect(gateway.places.count == 3, "\(gateway.process.transcript)")
            for place in gateway.places {
                let client = try RawClient(place)
                #expect(try client.exchange("GET /").text == "ok", "\(place): \(client.transcript)")
            }
            #expect(stub.requests.map { $0["x-forwarded-for"] ?? "none" }.prefix(2) == ["127.0.0.1", "::1"])
            let curl = try Curl("http://api.test/", to: .unix(path: folder.file("gateway.sock")))
            #expect(curl.body == "ok", "\(curl)")
            #expect(try gateway.terminate() == 0)
            #expect(!FileManager.default.fileExists(atPath: folder.file("gateway.sock")), "the socket file is left")
        }

        @Test("SIGTERM while requests run: none fails, and the exit code is 0", arguments: [SIGTERM, SIGINT])
        func drain(signal: Int32) throws {
            let stub = try StubUpstream.saying("served")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub), workers: 2)
            let place = gateway.place
            let tally = Mutex((served: 0, failures: [String]()))
            let clients = DispatchGroup()
            for _ in 0..<8 {
                clients.enter()
                Thread {
                    Self.load(place, tally)
                    clients.leave()
                }.start()
            }
            try eventually("the load runs") { tally.withLock { $0.served } > 200 }
            gateway.process.signal(signal)
            #expect(try gateway.process.end() == 0, "\(gateway.process.transcript)")
            #expect(clients.wait(timeout: .now() + 30) == .success)
            #expect(tally.withLock { $0.failures } == [])
        }

        /// Sends requests, each after the answer of the last, until nobody accepts connections any longer. A request that
        /// was sent and not answered is a failure, on a new connection as on a kept one.
        private static func load(_ place: SocketPlace, _ tally: borrowing Mutex<(served: Int, failures: [String])>) {
            while let client = try? RawClient(place) {
                var isFresh = true
                do {
                    var goesOn = true
                    while goesOn {
                        let answer = try client.exchange("GET /load")
                        isFresh = false
                        goesOn = answer["connection"] != "close"
                        tally.withLock { tally in
                            tally.served += 1
                            if answer.status != 200 || answer.text != "served" { tally.failures.append("\(answer)") }
                        }
                    }
                } catch {
                    // Refused in the system's queue, in the moment between the last accept and the listener's end.
                    if isFresh, client.wire.wasReset { continue }
                    tally.withLock { $0.failures.append("\(error)") }
                }
            }
        }

        @Test("What runs when SIGTERM comes is finished, and readiness says that nothing new should come")
        func drainFinishes() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try gate.wait()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
            }
            defer { gate.open() }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("GET /last")
            _ = try stub.requests(1)
            gateway.process.signal(SIGTERM)
            try eventually("readiness ends") { try gateway.admin("/readyz").status == 503 }
            try eventually("no new connections") { (try? gateway.client()) == nil }
            gate.open()
            let answer = try client.response()
            #expect(answer.text == "last" && answer["connection"] == "close", "\(client.transcript)")
            #expect(try gateway.process.end() == 0)
        }

        @Test("A request that never ends does not hold the end up for longer than the drain time")
        func drainLimit() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"drain": "300ms"}"#))
            let client = try gateway.client().request("GET /never")
            _ = try stub.requests(1)
            gateway.process.signal(SIGTERM)
            let answer = try client.response()
            #expect(answer.status == 503 && answer.cause == "shutting_down", "\(client.transcript)")
            #expect(try gateway.process.end() == 0)
        }

        @Test("A second signal ends it at once")
        func secondSignal() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("GET /never")
            _ = try stub.requests(1)
            gateway.process.signal(SIGTERM)
            try gateway.process.line("that it drains", in: .errors) { $0.contains("draining") }
            gateway.process.signal(SIGTERM)
            // Long before the 30 seconds that draining may take.
            let code = try gateway.process.end(within: Deadline(.seconds(10)))
            #expect(code == 0, "\(gateway.process.transcript)")
            #expect(try client.rest() == "", "\(client.transcript)")
        }

        @Test("A configuration with errors: exit code 78, and every error with its place")
        func badConfiguration() throws {
            let folder = try TemporaryFolder()
            let setup = GatewaySetup().route(#"{"match": "/a", "to": "nobody"}"#).route(#"{"match": "/b", "tu": 1}"#)
                .gateway(#""limits": {"head": "much"}"#)
            try folder.write("routes.json", setup.text)
            try folder.write("flags.json", GatewayProcess.noFlags)
            let process = try RunningProcess(Binaries.path("banyan"), ["run", "-c", folder.file("routes.json")])
            #expect(try process.end() == 78, "\(process.transcript)")
            let errors = process.lines(.errors).joined(separator: "\n")
            for place in ["/gateway/limits/head", "/routes/0/to", "/routes/1/tu"] {
                #expect(errors.contains(place), "nothing on \(place):\n\(errors)")
            }
            #expect(errors.contains("routes.json:2:"), "\(errors)")
        }

        @Test("A port that another program has: exit code 69")
        func portInUse() throws {
            let (listener, place) = try SocketPlace.ipv4(port: 0).listen()
            defer { close(listener) }
            let folder = try TemporaryFolder()
            try folder.write("routes.json", GatewaySetup().listeners("\(place)").text)
            try folder.write("flags.json", GatewayProcess.noFlags)
            let process = try RunningProcess(Binaries.path("banyan"), ["run", "-c", folder.file("routes.json")])
            #expect(try process.end() == 69, "\(process.transcript)")
            #expect(process.lines(.errors).contains { $0.contains("\(place)") }, "\(process.transcript)")
        }

        @Test("Killed and started again, it listens on the same port at once")
        func restart() throws {
            let stub = try StubUpstream.saying("ok")
            let first = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try first.client()
            #expect(try client.exchange("GET /").text == "ok")
            first.process.signal(SIGKILL)
            #expect(try first.process.end() == -SIGKILL)
            let second = try GatewayProcess(GatewaySetup(forwardingTo: stub).listeners("\(first.place)"))
            #expect(second.place == first.place)
            #expect(try second.exchange("GET /").text == "ok")
        }
    }
}
