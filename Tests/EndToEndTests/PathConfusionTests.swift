import Foundation
import Testing

extension EndToEnd {
    /// Paths that are read in more than one way (security.md §2.2), on every kind of connection: what was decided on is what
    /// the upstream gets, and nothing that stands for a denied path reaches it.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct PathConfusion {
        private enum Verdict: Equatable {
            /// The route that denies `/admin` has it.
            case denied
            /// 400.
            case refused
            /// The upstream gets this target.
            case passed(String)
        }

        private static let paths: [(String, Verdict)] = [
            ("/admin", .denied), ("/admin/", .denied), ("/admin/x?y", .denied), ("/./admin", .denied),
            ("/pub/../admin", .denied), ("/pub/%2e%2e/admin", .denied), ("/pub/.%2E/admin/x", .denied),
            ("/%61dmin", .denied), ("/%61%64%6D%69%6e/x", .denied), ("/a/b/../../admin", .denied),
            ("/admin/x/../..//../admin/", .denied), ("/admin?/../pub", .denied), ("/admin/.", .denied),
            ("/../admin", .refused), ("/%2e%2e/admin", .refused), ("/pub/..%2fadmin", .refused),
            ("/pub/%2e%2e%2fadmin", .refused), ("/pub/..%5cadmin", .refused), ("/pub\\..\\admin", .refused),
            ("/pub\\admin", .refused), ("/pub/..;/admin", .refused), ("/pub/%2e%2e;/admin", .refused),
            ("/pub/..;x=y/admin", .refused), ("/pub/.;/admin", .refused), ("/pub/%c0%ae%c0%ae/admin", .refused),
            ("/pub/%e0%80%ae/admin", .refused), ("/%00/admin", .refused), ("/admin%00", .refused), ("/%zz", .refused),
            ("/pub/%", .refused), ("/pub/%2", .refused), ("/pub#/../admin", .refused), ("/pub?a#b", .refused),
            ("/pub%2f..%2fadmin", .refused), ("/pub%5c..%5cadmin", .refused), ("/pub/x%2f..", .refused),
            ("/\u{E9}", .refused), ("/pub admin", .refused), ("*", .refused), ("/pub/\u{7F}", .refused),
            ("/pub", .passed("/pub")), ("/pub/%252e%252e/admin", .passed("/pub/%252e%252e/admin")),
            ("/pub%2fadmin", .passed("/pub%2Fadmin")), ("/%2fadmin", .passed("/%2Fadmin")),
            ("//admin", .passed("//admin")), ("/ADMIN", .passed("/ADMIN")), ("/pub/...", .passed("/pub/...")),
            ("/pub/..x", .passed("/pub/..x")), ("/admin/..", .passed("/")), ("/pub/;/../x", .passed("/pub/x")),
            ("/pub;x=1/a", .passed("/pub;x=1/a")), ("/%7Eu/%41?%7E=%2e", .passed("/~u/A?%7E=%2e")),
            ("/pub/%e2%82%ac", .passed("/pub/%E2%82%AC")), ("/pub?/../admin", .passed("/pub?/../admin")),
        ]

        /// Of HTTP/1.1 alone: the absolute form, whose authority counts (RFC 9112 §3.2.2).
        private static let absolute: [(String, Verdict)] = [
            ("http://api.test/admin", .denied), ("HTTP://api.test/pub/../admin", .denied),
            ("http://b.test/pub", .passed("/pub")),
            ("https://b.test:443", .passed("/")), ("http://u@b.test/pub", .refused), ("http:///pub", .refused),
            ("http://b.test:99999/pub", .refused), ("ftp://b.test/pub", .refused),
            ("http://b.test\\@api.test/", .refused),
            ("http:/pub", .refused), ("api.test/pub", .refused), ("@b.test/pub", .refused), (":80/pub", .refused),
        ]

        @Test("One reading of each path", arguments: ConnectionKind.allCases)
        func paths(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let denial = #""respond": {"status": 403, "body": "denied"}}"#
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/admin", \#(denial)"#).route(#"{"match": "/admin/{rest...}", \#(denial)"#)
                .route(#"{"match": "/{rest...}", "to": "stub"}"#)
            let edge = try EdgeGateway(setup)
            try edge.withstand("paths with two readings") {
                for (path, verdict) in Self.paths + (kind.isHTTP2 ? [] : Self.absolute) {
                    let before = stub.requestsOfOthers.count
                    let outcome = try edge.exchange(kind, EdgeRequest("GET", path))
                    let targets = stub.requestsOfOthers[before...].map(\.target)
                    switch verdict {
                    case .denied: #expect(outcome.status == 403 && targets.isEmpty, "\(path): \(targets) \(outcome)")
                    case .refused:
                        #expect(outcome.status == 400 || outcome.end == .reset(1), "\(path): \(outcome)")
                        #expect(targets.isEmpty, "\(path)")
                    case .passed(let target):
                        #expect(outcome.status == 200 && targets == [target], "\(path): \(targets) \(outcome)")
                    }
                }
            }
            #expect(stub.requests.allSatisfy { $0["host"] == "\(stub.place)" }, "a host of the client's")
        }
    }
}
