import Foundation
import Testing

extension EndToEnd {
    /// Views that write: their parts run in the order of the file, and a failure says what was done before it.
    @Suite
    struct WriteViews {
        private static func json(_ body: String, status: String = "200 OK") -> String {
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        /// Orders: a cart to read, reservations and mails to make.
        private static func orders() throws -> StubUpstream {
            try .answering { request in
                switch (request.method, request.target) {
                case ("GET", _): json(#"{"id":"k 1","items":[1,2,3]}"#)
                case (_, "/reservations"): json(#"{"id":"r/1"}"#, status: "201 Created")
                default: "HTTP/1.1 204 No Content\r\n\r\n"
                }
            }
        }

        private static let view = #"""
            {"match": "POST /checkout/{id}", "name": "checkout", "timeout": "20s", "aggregate": {
              "cart": {"from": "orders", "get": "/carts/{id}"},
              "reserve": {"from": "orders", "request": {
                "method": "POST", "path": "/reservations", "body": {"cart": "{cart.id}"},
                "headers": {"Idempotency-Key": "{header.idempotency-key}-reserve"}}},
              "charge": {"from": "payments", "timeout": "CHARGE", "optional": OPTIONAL, "request": {
                "method": "METHOD", "path": "/charges/{reserve.id}",
                "headers": {"Idempotency-Key": "{header.idempotency-key}-charge", "If-Match": "{header.if-match}"}}},
              "mail": {"from": "orders", "optional": true, "request": {"method": "POST", "path": "/mails"}}
            }}
            """#

        private static func gateway(
            _ orders: StubUpstream, _ payments: StubUpstream, charge: String = "10s", method: String = "POST",
            isOptional: Bool = false, timeout: String = "20s", settings: String? = nil
        ) throws -> GatewayProcess {
            let view = view(charge: charge, method: method, isOptional: isOptional)
                .replacing("\"20s\"", with: "\"\(timeout)\"")
            var setup = GatewaySetup().upstream("orders", orders).upstream("payments", payments).route(view)
            if let settings { setup = setup.gateway(settings) }
            return try GatewayProcess(setup)
        }

        /// A service that takes a request and says nothing.
        private static func silent() throws -> StubUpstream {
            try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
        }

        private static func view(
            charge: String = "10s", method: String = "POST", isOptional: Bool = false
        ) -> String {
            view.replacing("CHARGE", with: charge).replacing("METHOD", with: method)
                .replacing("OPTIONAL", with: "\(isOptional)")
        }

        private static func calls(_ stub: StubUpstream) -> [String] {
            stub.requests.map { "\($0.method) \($0.target)" }
        }

        /// The member `parts` of a problem document, as text.
        private static func parts(_ answer: HTTPText) throws -> [String] {
            let parts = try #require(answer.json["parts"] as? [[String: Any]], "\(answer)")
            return parts.map { part in
                ["name", "state", "status", "reason", "done", "of"].compactMap { key in part[key].map { "\($0)" } }
                    .joined(separator: " ")
            }
        }

        @Test("Steps run one after the other, and the view has what they say")
        func whole() throws {
            let orders = try Self.orders()
            let payments = try StubUpstream.answering { _ in Self.json(#"{"paid":1.50}"#, status: "201 Created") }
            let gateway = try Self.gateway(orders, payments)
            let client = try gateway.client()
            let fields = ["Idempotency-Key: k7", "If-None-Match: *", "If-Match: \"x\""]
            let answer = try client.exchange("POST /checkout/9", fields)
            #expect(answer.status == 200, "\(client.transcript)")
            #expect(
                answer.text
                    == #"{"cart":{"id":"k 1","items":[1,2,3]},"reserve":{"id":"r/1"},"charge":{"paid":1.50},"mail":null}"#
            )
            #expect(answer["cache-control"] == "no-store" && answer["etag"] == nil, "\(answer)")
            #expect(answer["banyan-parts"] == nil && answer["location"] == nil, "\(answer)")
            #expect(Self.calls(orders) == ["GET /carts/9", "POST /reservations", "POST /mails"])
            #expect(Self.calls(payments) == ["POST /charges/r%2F1"])
            let keys = (orders.requests + payments.requests).map { $0["idempotency-key"] }
            #expect(keys == [nil, "k7-reserve", nil, "k7-charge"])
            #expect((orders.requests + payments.requests).map { $0["if-match"] } == [nil, nil, nil, "\"x\""])
            #expect(String(decoding: orders.requests[1].body, as: UTF8.self) == #"{"cart":"k 1"}"#)
            // Without the client's key there is none for the steps.
            #expect(try client.exchange("POST /checkout/9").status == 200, "\(client.transcript)")
            #expect(try payments.requests(2)[1].values("idempotency-key").isEmpty)
            #expect(try client.exchange("GET /checkout/9").status == 405, "\(client.transcript)")
        }

        /// How a step can end without an answer to go on with.
        enum Fault: String, CaseIterable {
            case conflict, broken, html, cut, closed, silent, refused

            var status: Int { self == .conflict ? 409 : self == .silent ? 504 : 502 }

            var state: String {
                switch self {
                case .conflict: "failed;status=409"
                case .broken: "failed;status=500"
                case .html: "done;status=200;reason=not_json"
                case .cut: "done;status=200;reason=upstream_truncated"
                case .closed: "unknown;reason=upstream_closed"
                case .silent: "unknown;reason=timeout"
                case .refused: "not_started;reason=connect_failed"
                }
            }
        }

        @Test(
            "A failure says what was done, and nothing is done after it, unless the part may fail",
            arguments: Fault.allCases, [false, true])
        func failed(fault: Fault, isOptional: Bool) throws {
            let orders = try Self.orders()
            let payments = try StubUpstream { connection in
                while try connection.request() != nil {
                    switch fault {
                    case .conflict: try connection.send(Self.json("{}", status: "409 Conflict"))
                    case .broken: try connection.send(Self.json("{}", status: "500 Broken"))
                    case .html:
                        try connection.send(
                            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>")
                    case .cut: return try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
                    case .closed: return
                    case .silent: return try connection.awaitEnd()
                    case .refused: return
                    }
                }
            }
            if fault == .refused { payments.stop() }
            let gateway = try Self.gateway(
                orders, payments, charge: fault == .silent ? "300ms" : "10s", isOptional: isOptional)
            let answer = try gateway.exchange("POST /checkout/9")
            if isOptional {
                #expect(answer.status == 200 && answer.json["charge"] is NSNull, "\(answer)")
                #expect(answer["banyan-partial"]?.hasPrefix("charge;reason=") == true, "\(answer)")
                #expect(
                    answer["banyan-parts"]
                        == "cart;state=done;status=200, reserve;state=done;status=201, charge;state=\(fault.state), "
                        + "mail;state=done;status=204", "\(answer)")
                #expect(Self.calls(orders).last == "POST /mails")
                #expect(payments.requests.count == (fault == .refused ? 0 : 1))
                return
            }
            #expect(answer.status == fault.status, "\(answer)")
            #expect(answer["content-type"] == "application/problem+json", "\(answer)")
            #expect(
                answer["banyan-parts"]
                    == "cart;state=done;status=200, reserve;state=done;status=201, charge;state=\(fault.state), "
                    + "mail;state=not_started", "\(answer)")
            let charge = fault.state.split(separator: ";").map { $0.split(separator: "=").last.map(String.init) ?? "" }
            #expect(
                try Self.parts(answer) == [
                    "cart done 200", "reserve done 201", "charge \(charge.joined(separator: " "))", "mail not_started",
                ])
            #expect(Self.calls(orders) == ["GET /carts/9", "POST /reservations"])
            #expect(payments.requests.count == (fault == .refused ? 0 : 1))
        }

        @Test("A step whose pooled connection dies under it is not sent again", arguments: ["POST", "PUT", "DELETE"])
        func neverTwice(method: String) throws {
            let orders = try Self.orders()
            let payments = try StubUpstream { connection in
                // The second request on a connection gets no answer.
                if try connection.request() != nil { try connection.send(Self.json("1")) }
                _ = try connection.request()
            }
            let client = try Self.gateway(orders, payments, method: method).client()
            #expect(try client.exchange("POST /checkout/9").status == 200, "\(client.transcript)")
            let answer = try client.exchange("POST /checkout/9")
            #expect(answer.status == 502, "\(client.transcript)")
            #expect(
                answer["banyan-parts"]?.contains("charge;state=unknown;reason=upstream_closed,") == true, "\(answer)")
            try eventually("the connection is over") { payments.closedConnections == 1 }
            #expect(payments.requests.count == 2 && payments.connections == 1)
        }

        @Test("A step that may fail is told of, and the view goes on")
        func optional() throws {
            let orders = try StubUpstream.answering { request in
                request.target == "/mails" ? Self.json("{}", status: "500 Broken") : Self.json(#"{"id":1}"#)
            }
            let payments = try StubUpstream.answering { _ in
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
            }
            let answer = try Self.gateway(orders, payments).exchange("POST /checkout/9")
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.text == #"{"cart":{"id":1},"reserve":{"id":1},"charge":null,"mail":null}"#, "\(answer)")
            #expect(answer["banyan-partial"] == "mail;reason=bad_status;status=500", "\(answer)")
            #expect(
                answer["banyan-parts"]
                    == "cart;state=done;status=200, reserve;state=done;status=200, charge;state=done;status=200, "
                    + "mail;state=failed;status=500", "\(answer)")
        }

        @Test("A client that leaves stops the step in flight, and nothing follows")
        func clientGone() throws {
            let orders = try Self.orders()
            let payments = try Self.silent()
            let gateway = try Self.gateway(orders, payments)
            let client = try gateway.client().request("POST /checkout/9")
            _ = try payments.requests(1)
            client.close()
            try eventually("the step is cancelled") { payments.closedConnections == 1 }
            let line = try gateway.logLine(path: "/checkout/9")
            #expect(line["cause"] as? String == "client_closed", "\(line)")
            let parts = line["parts"] as? [String: [String: Any]] ?? [:]
            #expect(
                parts.mapValues { $0["state"] as? String } == [
                    "cart": "done", "reserve": "done", "charge": "unknown", "mail": "not_started",
                ], "\(line)")
            #expect(Self.calls(orders) == ["GET /carts/9", "POST /reservations"])
        }

        @Test("When the time of the view is over, a step in flight is stopped")
        func timeOver() throws {
            let orders = try Self.orders()
            let payments = try Self.silent()
            let gateway = try Self.gateway(orders, payments, timeout: "400ms")
            let answer = try gateway.exchange("POST /checkout/9")
            #expect(answer.status == 504, "\(answer)")
            #expect(
                answer["banyan-parts"]
                    == "cart;state=done;status=200, reserve;state=done;status=201, charge;state=unknown;reason=timeout, "
                    + "mail;state=not_started", "\(answer)")
            try eventually("the step is cancelled") { payments.closedConnections == 1 }
            #expect(Self.calls(orders) == ["GET /carts/9", "POST /reservations"])
        }

        @Test("A drain that is over says what was done, too")
        func shuttingDown() throws {
            let orders = try Self.orders()
            let payments = try Self.silent()
            let gateway = try Self.gateway(orders, payments, settings: #""timeouts": {"drain": "200ms"}"#)
            let client = try gateway.client().request("POST /checkout/9")
            _ = try payments.requests(1)
            gateway.process.signal(SIGTERM)
            let answer = try client.response()
            #expect(answer.status == 503, "\(client.transcript)")
            #expect(answer.json["cause"] as? String == "shutting_down", "\(client.transcript)")
            #expect(answer["retry-after"] == nil, "\(client.transcript)")
            #expect(
                answer["banyan-parts"]
                    == "cart;state=done;status=200, reserve;state=done;status=201, charge;state=unknown, "
                    + "mail;state=not_started", "\(client.transcript)")
        }

        @Test("A step for many values takes one after the other and stops at the first that fails")
        func fanOut() throws {
            let orders = try Self.orders()
            let stock = try StubUpstream.answering { request in
                request.target == "/stock/2"
                    ? Self.json("{}", status: "409 Conflict") : "HTTP/1.1 204 No Content\r\n\r\n"
            }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("orders", orders).upstream("stock", stock).route(
                    #"""
                    {"match": "DELETE /carts/{id}", "aggregate": {
                      "cart": {"from": "orders", "get": "/carts/{id}"},
                      "free": {"from": "stock", "each": "cart.items[*]",
                        "request": {"method": "PUT", "path": "/stock/{each}"}},
                      "mail": {"from": "orders", "request": {"method": "POST", "path": "/mails"}}
                    }}
                    """#))
            let answer = try gateway.exchange("DELETE /carts/9")
            #expect(answer.status == 409, "\(answer)")
            #expect(
                answer["banyan-parts"]
                    == "cart;state=done;status=200, free;state=failed;status=409;done=1;of=3, mail;state=not_started",
                "\(answer)")
            #expect(try Self.parts(answer)[1] == "free failed 409 1 3", "\(answer)")
            #expect(Self.calls(stock) == ["PUT /stock/1", "PUT /stock/2"])
            #expect(Self.calls(orders) == ["GET /carts/9"])
        }

        @Test("explain shows the order, and what is out of order has a place in the file")
        func order() throws {
            let setup = GatewaySetup().upstream("orders", url: "http://127.0.0.1:1")
                .upstream("payments", url: "http://127.0.0.1:1")
            func run(_ words: String..., route: String) throws -> String {
                let folder = try TemporaryFolder()
                try folder.write("routes.json", setup.route(route).text)
                try folder.write("flags.json", GatewayProcess.noFlags)
                let process = try RunningProcess(
                    Binaries.path("banyan"), [words[0], "-c", folder.file("routes.json")] + words.dropFirst())
                _ = try process.end()
                return process.transcript
            }
            let view = Self.view()
            let told = try run("explain", "POST /checkout/9", route: view)
            #expect(told.contains(/part cart +at once: GET/), "\(told)")
            #expect(told.contains(/part reserve +after cart: POST \/reservations to .*, writes/), "\(told)")
            #expect(told.contains(/part charge +after reserve: POST/), "\(told)")
            #expect(told.contains(/part mail +after charge: POST .*, writes, optional/), "\(told)")
            let wrong = try run("check", route: view.replacing("/carts/{id}", with: "/carts/{charge.id}"))
            #expect(
                wrong.contains(
                    /routes\.json:\d+:\d+: \/routes\/0\/aggregate\/cart\/get: "cart" needs "charge", which stands/),
                "\(wrong)")
        }

        @Test("A view for all methods or of both kinds is told to decide")
        func methods() throws {
            func check(_ route: String) throws -> String {
                let folder = try TemporaryFolder()
                try folder.write(
                    "routes.json", GatewaySetup().upstream("a", url: "http://127.0.0.1:1").route(route).text)
                try folder.write("flags.json", GatewayProcess.noFlags)
                let process = try RunningProcess(Binaries.path("banyan"), ["check", "-c", folder.file("routes.json")])
                _ = try process.end()
                return process.transcript
            }
            let post = #"{"a": {"from": "a", "request": {"method": "POST", "path": "/"}SAFE}}"#
            func route(_ match: String, safe: Bool = false) -> String {
                #"{"match": "\#(match)", "aggregate": \#(post.replacing("SAFE", with: safe ? #", "safe": true"# : ""))}"#
            }
            #expect(try check(route("GET|POST /x")).contains("/routes/0/match: a view either reads or writes"))
            #expect(try check(route("/x")).contains("/routes/0/match: does the view change something"))
            for fine in [route("POST /x"), route("GET /x"), route("PUT|PATCH /x"), route("/x", safe: true)] {
                #expect(try !check(fine).contains("/routes/0"), "\(fine)")
            }
        }
    }
}
