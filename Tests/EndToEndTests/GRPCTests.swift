import Foundation
import Testing

extension EndToEnd {
    /// gRPC from end to end, with somebody else's client and server.
    @Suite(.enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
    struct GRPC {
        @Test("Calls of all four kinds, metadata, deadlines, failures and cancellation pass")
        func calls() throws {
            let server = try RunningProcess(
                try #require(ClientTool.python), [ClientTool.script("grpc_peer.py"), "server"])
            defer { server.signal(SIGKILL) }
            let port = try server.line("the server's port") { Int($0) != nil }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("calls", url: "http://127.0.0.1:\(port)", #""protocol": "h2""#)
                    .route(#"{"match": "/{rest...}", "to": "calls"}"#))
            let result = try ClientTool.run("grpc_peer.py", "client", "\(gateway.place)")
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
            // A server that refuses before it has read the call may be cut short by libcurl (docs/configuration.md).
            let failure = result["failure"] as? String
            #expect(failure == "FAILED_PRECONDITION: not today: 100% sure" || failure?.hasPrefix("UNAVAILABLE") == true)
            let unknown = result["unknown"] as? String
            #expect(unknown == "UNIMPLEMENTED" || unknown == "UNAVAILABLE")
        }
    }
}
