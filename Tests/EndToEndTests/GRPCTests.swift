import Foundation
import Testing

extension EndToEnd {
    /// gRPC from end to end, with somebody else's client and server.
    @Suite(.enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
    struct GRPC {
        /// A server and a gateway before it.
        private final class Place {
            let server: RunningProcess
            let gateway: GatewayProcess

            init() throws {
                server = try RunningProcess(
                    try #require(ClientTool.python), [ClientTool.script("grpc_peer.py"), "server"])
                let port = try server.line("the server's port") { Int($0) != nil }
                gateway = try GatewayProcess(
                    GatewaySetup()
                        .upstream("calls", url: "http://127.0.0.1:\(port)", #""protocol": "h2""#)
                        .route(#"{"match": "/{rest...}", "to": "calls"}"#))
            }

            deinit { server.signal(SIGKILL) }

            func run(_ what: String) throws -> [String: Any] {
                try ClientTool.run("grpc_peer.py", what, "\(gateway.place)")
            }
        }

        // Not by whole transfers of libcurl, which lose an answer now and then (docs/configuration.md).
        @Test("Calls of all four kinds, metadata, deadlines, failures and cancellation pass")
        func calls() throws {
            let result = try Place().run("client")
            #expect(result["unary"] as? String == "cba")
            #expect(result["initial"] as? String == "first")
            #expect(result["trailing"] as? String == "last")
            #expect(result["metadata"] as? String == "ada")
            #expect(result["large"] as? Bool == true)
            #expect(result["one to many"] as? Int == 1000)
            #expect(result["many to one"] as? String == "500000")
            #expect(result["many to many"] as? [String] == ["ONE", "TWO", "THREE"])
            #expect(result["deadline passes"] as? Bool == true)
            #expect(result["deadline"] as? String == "DEADLINE_EXCEEDED")
            #expect(result["server saw the deadline"] as? String == "yes")
            #expect(result["cancel"] as? String == "CANCELLED")
            #expect(result["failure"] as? String == "FAILED_PRECONDITION: not today: 100% sure")
            #expect(result["unknown"] as? String == "UNIMPLEMENTED")
        }

        /// A server may refuse a call in full before it has read it, and end the stream: that answer is never lost.
        @Test func aRefusalIsNeverLost() throws {
            let result = try Place().run("refuse")
            #expect(result["unknown"] as? [String: Int] == ["UNIMPLEMENTED": 200])
            #expect(result["aborted"] as? [String: Int] == ["FAILED_PRECONDITION: not today: 100% sure": 200])
            #expect(result["stream"] as? [String: Int] == ["UNIMPLEMENTED": 50])
        }

        /// A client that does not read its answer holds up no other one, though all share a connection to the server.
        @Test func aStalledReaderHoldsUpNobody() throws {
            let result = try Place().run("stall")
            #expect(result["answers"] as? Int == 100)
            #expect(result["pieces"] as? Int == 4096)
        }
    }
}
