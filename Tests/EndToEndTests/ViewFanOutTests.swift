import Foundation
import Testing

extension EndToEnd {
    /// Parts that are asked for many values, when it goes wrong with some of them (routes-json, aggregate).
    @Suite
    struct ViewFanOuts {
        private static func json(_ body: String) -> String {
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        /// A view of `list` and, for each of its elements, of what `service` says of it.
        private static func gateway(
            _ list: StubUpstream, _ service: StubUpstream, _ settings: String
        ) throws -> GatewayProcess {
            try GatewayProcess(
                GatewaySetup().upstream("list", list).upstream("service", service).route(
                    #"""
                    {"match": "/view", "aggregate": {
                      "list": {"from": "list", "get": "/"},
                      "all": {"from": "service", "each": "list[*]", "get": "/{each}", "optional": true, \#(settings)}}}
                    """#))
        }

        @Test("Values that cannot be asked for fail, were it all of them, and nothing of an earlier view is told")
        func unusable() throws {
            let list = try StubUpstream { connection in
                for text in [#"["..",".","a\u0000"]"#, #"[1,2,3]"#, #"[".",".."]"#] {
                    guard try connection.request() != nil else { return }
                    try connection.send(Self.json(text))
                }
            }
            let service = try StubUpstream.answering { _ in Self.json("0") }
            let gateway = try Self.gateway(list, service, #""concurrency": 8"#)
            let client = try gateway.client()
            for (text, partial) in [
                (#""all":{"..":null,".":null,"a\u0000":null}"#, "all;reason=bad_input;values=3"),
                (#""all":{"1":0,"2":0,"3":0}"#, nil),
                (#""all":{".":null,"..":null}"#, "all;reason=bad_input;values=2"),
            ] {
                let answer = try client.exchange("GET /view")
                #expect(answer.status == 200 && answer.text.hasSuffix(",\(text)}"), "\(client.transcript)")
                #expect(answer["banyan-partial"] == partial, "\(client.transcript)")
            }
            #expect(service.requests.count == 3)
            try eventually("each view has its line") { gateway.process.lines().count { $0.hasPrefix("{") } >= 3 }
            let lines = gateway.process.lines().filter { $0.hasPrefix("{") }
            let upstreams = try lines.map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                let part = (object?["parts"] as? [String: Any])?["all"] as? [String: Any]
                return part?["upstream"] as? String
            }
            #expect(upstreams == [nil, "service", nil], "\(lines)")
        }

        @Test("All calls of a part share its time")
        func time() throws {
            let list = try StubUpstream.answering { _ in Self.json("[1,2,3,4,5]") }
            let service = try StubUpstream { connection in
                guard let request = try connection.request() else { return }
                if request.target == "/1" {
                    try connection.send(Self.json("0"))
                    _ = try connection.request()
                }
                try connection.awaitEnd()
            }
            let gateway = try Self.gateway(list, service, #""concurrency": 1, "timeout": "400ms""#)
            let answer = try gateway.exchange("GET /view")
            let text = #"{"list":[1,2,3,4,5],"all":{"1":0,"2":null,"3":null,"4":null,"5":null}}"#
            #expect(answer.text == text, "\(answer)")
            #expect(answer["banyan-partial"] == "all;reason=timeout;values=4", "\(answer)")
            #expect(service.requests.map(\.target) == ["/1", "/2"], "for the others there is no time left")
        }

        @Test("Where nobody can be the user, a view that needs one is refused")
        func nobody() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/view", "aggregate": {"a": {"from": "stub", "get": "/users/{user}"}}}"#)
            #expect(throws: ExchangeFailure.self) { try GatewayProcess(setup) }
            let gateway = try GatewayProcess(setup.gateway(#""identity": [{"cookie": "id"}]"#))
            #expect(try gateway.exchange("GET /view", ["Cookie: id=7"]).status == 200)
            #expect(try stub.lastRequest().target == "/users/7")
        }
    }
}
