import Foundation
import Testing

extension EndToEnd {
    /// A server whose name gets another address while requests run, and then none at all (security §3).
    @Suite(.enabled(if: MountNamespace.isPermitted, "a mount namespace of its own is not permitted here"))
    struct Names {
        /// Overwrites the file where it is: a new one in its place would not be seen through the mount.
        private func write(_ text: String, into path: String) throws {
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.write(contentsOf: Data(text.utf8))
            try file.truncate(atOffset: UInt64(text.utf8.count))
            try file.close()
        }

        @Test("A name that moves is followed with no request failed; one that is gone keeps its last addresses")
        func addressChanges() throws {
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            let old = try StubUpstream.answering { _ in answer }
            let gate = Gate()
            defer { gate.open() }
            let new = try StubUpstream(at: .secondIPv4(port: old.place.port)) { connection in
                while let request = try connection.request() {
                    if request.target == "/held" { try gate.wait() }
                    try connection.send(answer)
                }
            }
            let folder = try TemporaryFolder()
            let hosts = folder.file("hosts")
            try folder.write("hosts", "127.0.0.1 localhost\n127.0.0.1 moving.test\n")
            // Nobody else is asked for a name that is not in the file.
            try folder.write("nsswitch.conf", "hosts: files\n")
            let mounts =
                "mount --bind \(hosts) /etc/hosts && mount --bind \(folder.file("nsswitch.conf")) /etc/nsswitch.conf"
            let setup = GatewaySetup()
                .upstream("moving", url: "http://moving.test:\(old.place.port)", #""resolveInterval": "100ms""#)
                .route(#"{"match": "/{rest...}", "to": "moving"}"#)
            let gateway = try GatewayProcess(
                setup, folder: folder, after: #"exec unshare -m /bin/sh -c '\#(mounts) && exec "$@"' sh "$@""#)
            let load = ClientLoad(gateway.place, clients: 4)
            try eventually("the old address serves") { load.answered > 50 }
            #expect(new.connections == 0)

            try write("127.0.0.1 localhost\n127.0.0.2 moving.test\n", into: hosts)
            try eventually("the new address serves", within: Deadline(.seconds(5))) { !new.requests.isEmpty }
            try eventually("the old connections are drained") { old.closedConnections == old.connections }
            let last = old.requests.count
            let moved = load.answered
            try eventually("the load goes on") { load.answered > moved + 50 }
            #expect(old.requests.count == last, "nothing more goes to the old address")

            try write("127.0.0.1 localhost\n", into: hosts)
            // Several look-ups long; that they fail cannot be seen from outside.
            Thread.sleep(forTimeInterval: 0.5)
            let gone = load.answered
            try eventually("the load goes on without the name") { load.answered > gone + 50 }
            let connections = new.connections
            let held = try (0..<8).map { _ in try gateway.client().request("GET /held") }
            try eventually("new connections are made to the last address") { new.connections > connections }
            gate.open()
            for client in held { #expect(try client.response().status == 200, "\(client.transcript)") }
            let failures = try load.end()
            #expect(failures.isEmpty, "\(failures.count) failed: \(failures.prefix(3))")
        }
    }
}

/// Files that look different to one process: root may do so.
private enum MountNamespace {
    static let isPermitted: Bool = {
        let probe = try? RunningProcess(
            "/usr/bin/unshare", ["-m", "/bin/sh", "-c", "mount --bind /etc/hosts /etc/hosts"])
        return (try? probe?.end()) == 0
    }()
}
