import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// An access log that takes no lines holds up no request (security §3).
    @Suite
    struct LogFaults {
        /// Sends so many requests on a connection, some ahead of their answers.
        private func load(_ gateway: GatewayProcess, requests: Int, target: String) throws {
            let client = try gateway.client()
            let request = "GET \(target) HTTP/1.1\r\nHost: api.test\r\n\r\n"
            for _ in 0..<(requests / 10) {
                try client.send(String(repeating: request, count: 10))
                for _ in 0..<10 { #expect(try client.response().status == 200, "\(client.transcript)") }
            }
        }

        private func lines(_ gateway: GatewayProcess) throws -> (written: Int, lost: Int) {
            let counts = try gateway.admin("/status").json["accessLog"] as? [String: Any]
            return (counts?["written"] as? Int ?? -1, counts?["lost"] as? Int ?? -1)
        }

        @Test("A log to a pipe whose reader stalls: requests go on, lines are lost and counted, later ones are whole")
        func readerStalls() throws {
            let folder = try TemporaryFolder()
            try #require(mkfifo(folder.file("pipe"), 0o600) == 0)
            let reader = open(folder.file("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            try #require(reader >= 0)
            // Whatever becomes of the rest, the writer must not wait for ever.
            defer { close(reader) }
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""accessLog": {"output": "pipe"}"#)
            let gateway = try GatewayProcess(setup, folder: folder)
            // Long lines, so that fewer requests fill what is held for the writer: 4 MiB, and the pipe.
            let target = "/" + String(repeating: "p", count: 8_000)
            try load(gateway, requests: 100, target: "/warm-up")
            let free = ContinuousClock().measure { try? load(gateway, requests: 100, target: target) }
            let before = try gateway.process.kibibytes("VmHWM")
            let stalled = try ContinuousClock().measure {
                var rounds = 0
                while try lines(gateway).lost == 0, rounds < 20 {
                    try load(gateway, requests: 100, target: target)
                    rounds += 1
                }
            }
            let lost = try lines(gateway).lost
            #expect(lost > 0)
            let full = try ContinuousClock().measure { try load(gateway, requests: 200, target: target) }
            #expect(try lines(gateway).lost >= lost + 150, "nothing is written")
            // Far from what a request that waits for a log would take; a loaded machine takes some.
            #expect(full < free * 2 * 10 + .seconds(1), "\(free) for 100 before, \(full) for 200 with the log full")
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 24 << 10, "the peak grew by \(growth) KiB in \(stalled)")
            let said = gateway.process.lines(.errors).filter { $0.contains("lines of the access log are lost") }
            #expect(said.count == 1 && said[0].contains("too slow"), "\(gateway.process.transcript)")

            var received: [UInt8] = []
            var block = [UInt8](repeating: 0, count: 65_536)
            func drain() {
                while true {
                    let count = read(reader, &block, block.count)
                    if count <= 0 { return }
                    received += block[..<count]
                }
            }
            try eventually("what was held is written") {
                drain()
                return try lines(gateway).written + lines(gateway).lost >= 300
                    && !received.isEmpty && received.last == 10
            }
            let lostInAll = try lines(gateway).lost
            #expect(try gateway.exchange("GET /after").text == "ok")
            let after = Array(#""path":"/after""#.utf8)
            try eventually("the line of a later request") {
                drain()
                return received.firstRange(of: after) != nil && received.last == 10
            }
            #expect(try lines(gateway).lost == lostInAll)
            for line in received.split(separator: 10) {
                let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
                #expect(object?["path"] is String, "not whole: \(String(decoding: line.prefix(200), as: UTF8.self))")
            }
            try gateway.process.line("that it is over", in: .errors) { $0.contains("takes all lines again") }
        }

        @Test(
            "A log on a full disk: requests go on, and the fault is said once",
            .enabled(if: access("/dev/full", W_OK) == 0))
        func diskFull() throws {
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""accessLog": {"output": "/dev/full"}"#)
            let gateway = try GatewayProcess(setup)
            for round in 1...5 {
                try load(gateway, requests: 20, target: "/full")
                try eventually("the lines are counted") { try lines(gateway).lost == 20 * round }
            }
            #expect(try lines(gateway).written == 0)
            let said = gateway.process.lines(.errors).filter { $0.contains("access log") }
            #expect(said.count == 1, "\(gateway.process.transcript)")
            #expect(said.first?.contains(String(cString: strerror(ENOSPC))) == true, "\(said)")
            #expect(try gateway.terminate() == 0)
        }
    }
}
