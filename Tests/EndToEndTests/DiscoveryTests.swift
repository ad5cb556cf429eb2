import Foundation
import Testing

extension EndToEnd {
    /// Where upstreams are: every address of a name, and what SRV records say, by a name server of the tests.
    @Suite
    struct Discoveries {
        private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        /// Servers on one port of several addresses of this machine.
        private static func servers(_ places: ((Int) -> SocketPlace)...) throws -> [StubUpstream] {
            let first = try StubUpstream.answering { _ in ok }
            return try [first] + places.map { place in try StubUpstream(at: place(first.place.port), Self.script) }
        }

        private static let script: StubUpstream.Script = { connection in
            while try connection.request() != nil { try connection.send(ok) }
        }

        private func gateway(_ dns: DNSStub, _ url: String, _ settings: String = "") throws -> GatewayProcess {
            try GatewayProcess(
                GatewaySetup().gateway(dns.setting).upstream(
                    "named", url: url,
                    #""balance": "round-robin", "slowStart": "none"\#(settings.isEmpty ? "" : ", " + settings)"#
                ).route(#"{"match": "/{rest...}", "to": "named"}"#), workers: 2)
        }

        @Test("Every address of a name is an endpoint, of either kind")
        func everyAddress() throws {
            let servers = try Self.servers({ .secondIPv4(port: $0) }, { .ipv6(port: $0) })
            let port = servers[0].place.port
            let dns = try DNSStub(["many.test": [.a("127.0.0.1"), .a("127.0.0.2"), .aaaa("::1")]])
            let gateway = try gateway(dns, "http://many.test:\(port)")
            let client = try gateway.client()
            // The first one may have waited for the name.
            #expect(try client.exchange("GET /").status == 200, "\(client.transcript)")
            let before = servers.map(\.requests.count)
            for _ in 0..<30 { #expect(try client.exchange("GET /").status == 200, "\(client.transcript)") }
            #expect(zip(servers, before).map { $0.requests.count - $1 } == [10, 10, 10])
            for server in servers {
                #expect(try server.lastRequest()["Host"] == "many.test:\(port)")
            }
            // One that dies is left alone; nobody sees it.
            servers[1].kill()
            for _ in 0..<60 { #expect(try client.exchange("GET /").status == 200, "\(client.transcript)") }
            let line = try gateway.process.line("the ejection", in: .errors) { $0.contains("endpoint ejected") }
            #expect(line.contains("127.0.0.2:\(port)"), "\(line)")
        }

        @Test("An address that does not answer is stood in for by the other kind's, if there is one of each")
        func bothKinds() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub(["dual.test": [.a("127.0.0.1"), .aaaa("::1")]])
            let gateway = try gateway(dns, "http://dual.test:\(server.place.port)", #""retry": false"#)
            for _ in 0..<8 { #expect(try gateway.exchange("GET /").status == 200) }
        }

        @Test("SRV records name servers, ports and weights; the first priority that has servers counts")
        func service() throws {
            let servers = try (0..<3).map { _ in try StubUpstream.answering { _ in Self.ok } }
            let dns = try DNSStub([
                "a.test": [.a("127.0.0.1")], "b.test": [.a("127.0.0.1")], "spare.test": [.a("127.0.0.1")],
                "_shop._tcp.test": [
                    .service(priority: 1, weight: 3, port: servers[0].place.port, target: "a.test"),
                    .service(priority: 1, weight: 1, port: servers[1].place.port, target: "b.test"),
                    .service(priority: 2, weight: 1, port: servers[2].place.port, target: "spare.test"),
                ],
            ])
            let gateway = try gateway(dns, "srv+http://_shop._tcp.test/v1", #""resolveInterval": "1s""#)
            let client = try gateway.client()
            #expect(try client.exchange("GET /x").status == 200, "\(client.transcript)")
            let before = servers.map(\.requests.count)
            for _ in 0..<20 { #expect(try client.exchange("GET /x").status == 200, "\(client.transcript)") }
            #expect(zip(servers, before).map { $0.requests.count - $1 } == [15, 5, 0])
            let request = try servers[0].lastRequest()
            #expect(request["Host"] == "a.test:\(servers[0].place.port)" && request.target == "/v1/x")

            let load = ClientLoad(gateway.place, clients: 3)
            dns.set("a.test", [])
            dns.set("b.test", [])
            try eventually("the next priority serves", within: Deadline(.seconds(10))) {
                !servers[2].requests.isEmpty
            }
            // Nothing is left of it: what was known last is used on.
            dns.set("_shop._tcp.test", [])
            let asked = dns.questions
            try eventually("it is asked again", within: Deadline(.seconds(10))) { dns.questions > asked + 1 }
            let answered = load.answered
            try eventually("the load goes on") { load.answered > answered + 50 }
            let failures = try load.end()
            #expect(failures.isEmpty, "\(failures.count) failed: \(failures.prefix(3))")
        }

        @Test("A set that changes under load fails no request, and what left is drained", .timeLimit(.minutes(2)))
        func change() throws {
            let servers = try Self.servers({ .secondIPv4(port: $0) }, { .ipv6(port: $0) })
            // Not to be kept at all: it is asked once a second.
            let dns = try DNSStub(["set.test": [.a("127.0.0.1"), .a("127.0.0.2")]], timeToLive: 0)
            let gateway = try gateway(dns, "http://set.test:\(servers[0].place.port)")
            let load = ClientLoad(gateway.place, clients: 4)
            try eventually("both serve") { servers[0].requests.count > 20 && servers[1].requests.count > 20 }
            dns.set("set.test", [.a("127.0.0.2"), .aaaa("::1")])
            try eventually("the new one serves", within: Deadline(.seconds(10))) { servers[2].requests.count > 20 }
            try eventually("the old one's connections are closed") {
                servers[0].closedConnections == servers[0].connections
            }
            let old = servers[0].requests.count
            let line = try gateway.process.line("the change", in: .errors) {
                $0.contains("servers of an upstream changed") && $0.contains("added=[::1]")
            }
            #expect(line.contains("removed=127.0.0.1"), "\(line)")
            dns.set("set.test", [.aaaa("::1")])
            try eventually("the second one is drained, too", within: Deadline(.seconds(10))) {
                servers[1].closedConnections == servers[1].connections
            }
            let answered = load.answered
            try eventually("the load goes on") { load.answered > answered + 50 }
            #expect(servers[0].requests.count == old)
            let failures = try load.end()
            #expect(failures.isEmpty, "\(failures.count) failed: \(failures.prefix(3))")
        }

        @Test(
            "A name server that is silent or lies changes nothing", .timeLimit(.minutes(2)),
            arguments: [
                DNSStub.Manner.silent, .garbage, .brokenOff, .loop, .otherNumber, .otherPort, .trickled, .thousandfold,
                .filled,
            ])
        func lies(_ manner: DNSStub.Manner) throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub([
                "a.test": [.a("127.0.0.1")],
                "_one._tcp.test": [.service(priority: 1, weight: 1, port: server.place.port, target: "a.test")],
            ])
            let gateway = try gateway(dns, "srv+http://_one._tcp.test", #""resolveInterval": "1s""#)
            let load = ClientLoad(gateway.place, clients: 2)
            try eventually("it serves") { load.answered > 20 }
            dns.manner = manner
            _ = try gateway.process.line("that the name is lost", in: .errors) {
                $0.contains("name not found") && $0.contains("_one._tcp.test")
            }
            let answered = load.answered
            try eventually("the load goes on") { load.answered > answered + 50 }
            dns.manner = .honest
            _ = try gateway.process.line("that it is back", in: .errors) {
                $0.contains("name found again")
            }
            let failures = try load.end()
            #expect(failures.isEmpty, "\(failures.count) failed: \(failures.prefix(3))")
        }

        @Test("An answer that does not fit is had over TCP")
        func truncated() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub(["big.test": [.a("127.0.0.1")]])
            dns.manner = .truncated
            let gateway = try gateway(dns, "http://big.test:\(server.place.port)")
            #expect(try gateway.exchange("GET /").status == 200)
            #expect(dns.streams >= 2)
        }

        @Test("The longest answer that there can be is read, and what nobody asked for is left out")
        func longest() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub(["long.test": [.a("127.0.0.1")]])
            dns.manner = .padded
            let gateway = try gateway(dns, "http://long.test:\(server.place.port)")
            #expect(try gateway.exchange("GET /").status == 200)
        }

        @Test("Of a name with thousands of servers no more are taken than are of use")
        func thousands() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let port = server.place.port
            let addresses = (0..<300).map { DNSStub.Record.a("127.0.\(1 + $0 / 200).\(1 + $0 % 200)") }
            var records = ["a.test": addresses, "b.test": addresses, "c.test": addresses, "d.test": addresses]
            records["_many._tcp.test"] = records.keys.sorted().map {
                .service(priority: 1, weight: 1, port: port, target: $0)
            }
            let dns = try DNSStub(records)
            let gateway = try gateway(dns, "srv+http://_many._tcp.test")
            let client = try gateway.client()
            _ = try client.exchange("GET /")
            let report = try gateway.admin("/upstreams/named").json
            #expect((report["endpoints"] as? [Any])?.count == 1_024)
        }

        @Test(
            "A service whose hosts nobody knows the addresses of is given up after a while, and other names are not held up",
            .timeLimit(.minutes(2)))
        func hostsWithoutAddresses() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let port = server.place.port
            let hosts = (0..<500).map { "host-\($0).test" }
            var records = Dictionary(uniqueKeysWithValues: hosts.map { ($0, [DNSStub.Record.a("127.0.0.1")]) })
            records["_wide._tcp.test"] = [.service(priority: 1, weight: 1, port: port, target: "host-0.test")]
            let dns = try DNSStub(records)
            let gateway = try gateway(dns, "srv+http://_wide._tcp.test", #""resolveInterval": "1s""#)
            let load = ClientLoad(gateway.place, clients: 2)
            try eventually("it serves") { load.answered > 20 }
            dns.manner = .withoutAddresses
            dns.set("_wide._tcp.test", hosts.map { .service(priority: 1, weight: 1, port: port, target: $0) })
            _ = try gateway.process.line("that the name is lost", in: .errors) {
                $0.contains("name not found") && $0.contains("_wide._tcp.test")
            }
            dns.manner = .honest
            _ = try gateway.process.line("that it is back", in: .errors) { $0.contains("name found again") }
            let failures = try load.end()
            #expect(failures.isEmpty, "\(failures.count) failed: \(failures.prefix(3))")
        }

        @Test(
            "The first request waits for a late answer, within its time to connect",
            arguments: ["connection", "libcurl"])
        func late(_ transport: String) throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub(["late.test": [.a("127.0.0.1")]])
            dns.manner = .late(300)
            let gateway = try gateway(
                dns, "http://late.test:\(server.place.port)", #""connectTimeout": "10s", "transport": "\#(transport)""#)
            let posted = try gateway.client()
            try posted.request("POST /body", body: "hello")
            #expect(try gateway.exchange("GET /").status == 200)
            #expect(try posted.response().status == 200)
            #expect(server.requests.contains { $0.text == "hello" })
        }

        @Test("Nobody waits for a name longer than its time to connect; one that comes later is used then")
        func never() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub(["later.test": [.a("127.0.0.1")]])
            dns.manner = .silent
            let gateway = try gateway(
                dns, "http://later.test:\(server.place.port)", #""connectTimeout": "200ms", "retry": false"#)
            let client = try gateway.client()
            let answer = try client.exchange("GET /")
            #expect(answer.status == 504 && answer.cause == "upstream_timeout", "\(client.transcript)")
            dns.manner = .honest
            try eventually("the name has an address", within: Deadline(.seconds(20))) {
                try client.exchange("GET /").status == 200
            }
        }

        @Test("A name that is none fails at once, until it is one")
        func unknown() throws {
            let server = try StubUpstream.answering { _ in Self.ok }
            let dns = try DNSStub([:])
            let gateway = try gateway(dns, "http://none.test:\(server.place.port)")
            let client = try gateway.client()
            let answer = try client.exchange("GET /")
            #expect(answer.status == 502 && answer.cause == "dns_failed", "\(client.transcript)")
            dns.set("none.test", [.a("127.0.0.1")])
            try eventually("it serves", within: Deadline(.seconds(10))) { try client.exchange("GET /").status == 200 }
        }

        @Test("Another name server is asked after a reload")
        func reload() throws {
            let servers = try Self.servers({ .secondIPv4(port: $0) })
            let first = try DNSStub(["name.test": [.a("127.0.0.1")]], timeToLive: 300)
            let second = try DNSStub(["name.test": [.a("127.0.0.2")]], timeToLive: 300)
            let setup = GatewaySetup().upstream("named", url: "http://name.test:\(servers[0].place.port)")
                .route(#"{"match": "/{rest...}", "to": "named"}"#)
            let gateway = try GatewayProcess(setup.gateway(first.setting))
            #expect(try gateway.exchange("GET /").status == 200)
            #expect(servers.map(\.requests.count) == [1, 0])
            try gateway.reload("routes.json", setup.gateway(second.setting).text)
            try eventually("the other address serves") {
                let status = try gateway.exchange("GET /").status
                #expect(status == 200)
                return !servers[1].requests.isEmpty
            }
        }
    }
}
