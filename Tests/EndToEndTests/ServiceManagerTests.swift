import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// What a gateway and a service manager such as systemd do for each other: sockets that are opened before the start
    /// (sd_listen_fds(3)), and news of the process (sd_notify(3)).
    @Suite
    struct ServiceManagers {
        private static let python = "/usr/bin/python3"
        private static let hasPython = access(python, X_OK) == 0
        private static let script =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Clients/activate.py"

        /// Starts a gateway with as many sockets as there are names.
        private static func activate(
            _ names: String, _ setup: GatewaySetup, _ folder: TemporaryFolder, workers: Int = 2
        ) throws -> RunningProcess {
            try folder.write("routes.json.in", setup.text)
            try folder.write("flags.json", GatewayProcess.noFlags)
            return try RunningProcess(
                python,
                [
                    script, names, folder.file("routes.json"), Binaries.path("banyan"), "run", "-c",
                    folder.file("routes.json"), "--workers", "\(workers)",
                ])
        }

        private static func place(_ process: RunningProcess) throws -> SocketPlace {
            let line = try process.line("where it listens") { $0.hasPrefix("banyan: listening on ") }
            return try #require(SocketPlace(parsing: line.dropFirst(21)))
        }

        @Test(
            "Sockets that were opened before: a restart at a steady load fails no request",
            .enabled(if: hasPython, "needs Python"), .timeLimit(.minutes(3)))
        func activation() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            var setup = GatewaySetup(forwardingTo: stub).listeners("127.0.0.1:PORT0")
            setup.admin = #"{"address": "127.0.0.1:PORT1"}"#
            let manager = try Self.activate("banyan.socket:banyan.socket", setup, folder)
            defer { manager.signal(SIGTERM) }
            let place = try Self.place(manager)
            let load = ChurnLoad(clients: 4, ChurnLoad.fresh(place))
            for round in 1...3 {
                try eventually("every start is known") { Self.children(manager).count == round }
                try eventually("it listens") {
                    manager.lines().count { $0.hasSuffix("(admin)") } == round
                }
                let before = load.tally.done
                try eventually("the load runs") { load.tally.done > before + 20 }
                kill(Self.children(manager)[round - 1], SIGTERM)
            }
            try eventually("it listens") { manager.lines().count { $0.hasSuffix("(admin)") } == 4 }
            let before = load.tally.done
            try eventually("the load runs") { load.tally.done > before + 20 }
            let tally = try load.end()
            #expect(tally.failures == [], "\(tally.failures.count) of \(tally.done)")
        }

        private static func children(_ manager: RunningProcess) -> [pid_t] {
            manager.lines().compactMap { $0.hasPrefix("started ") ? pid_t($0.dropFirst(8)) : nil }
        }

        @Test("A socket is found by its name, too", .enabled(if: hasPython, "needs Python"))
        func names() throws {
            let stub = try StubUpstream.saying("ok")
            let folder = try TemporaryFolder()
            var setup = GatewaySetup(forwardingTo: stub).listeners("127.0.0.1:0", "127.0.0.2:0")
            setup.admin = #"{"address": "127.0.0.3:0"}"#
            let manager = try Self.activate("admin:listeners/0", setup, folder)
            defer { manager.signal(SIGTERM) }
            try manager.line("its last address") { $0.hasSuffix("(admin)") }
            let lines = manager.lines().filter { $0.hasPrefix("banyan: listening on ") }
            #expect(lines.count == 3 && lines[0].contains("127.0.0.1:") && lines[2].contains("127.0.0.1:"), "\(lines)")
            #expect(lines[1].contains("127.0.0.2:"), "one that has no socket is bound as ever: \(lines)")
            #expect(try RawClient(try Self.place(manager)).exchange("GET /").text == "ok")
        }

        @Test("A socket that is for no listener is an error that names both", .enabled(if: hasPython, "needs Python"))
        func strangeSocket() throws {
            let folder = try TemporaryFolder()
            let stub = try StubUpstream.saying("ok")
            let manager = try Self.activate(
                "a:b", GatewaySetup(forwardingTo: stub).listeners("127.0.0.1:PORT0"), folder)
            #expect(try manager.end() == 69, "\(manager.transcript)")
            let errors = manager.lines(.errors).joined()
            #expect(errors.contains(" (b)") && errors.contains("is the address of no listener"), "\(errors)")
        }

        @Test("Readiness, reloads, the watchdog and the end are told")
        func notifications() throws {
            let folder = try TemporaryFolder()
            let news = try NewsSocket(folder.file("notify"))
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub), folder: folder,
                environment: ["NOTIFY_SOCKET": folder.file("notify"), "WATCHDOG_USEC": "100000"])
            try eventually("it is ready") { news.messages.contains { $0.hasPrefix("READY=1\nSTATUS=serving") } }
            try eventually("the watchdog hears of it") { news.messages.count { $0 == "WATCHDOG=1" } > 2 }

            gateway.process.signal(SIGHUP)
            try eventually("the reload is over") { news.messages.count { $0.hasPrefix("READY=1") } == 2 }
            let reload = try #require(news.messages.first { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") })
            let text = reload.split(separator: "\n")[1].dropFirst(15)
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            let age = Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000 - (Int64(text) ?? 0)
            #expect(age >= 0 && age < 60_000_000, "\(reload)")

            try folder.write("routes.json", "{")
            try eventually("a reload that is refused ends, too") {
                news.messages.contains { $0.hasPrefix("READY=1") && $0.contains("refused") }
            }
            #expect(try gateway.terminate() == 0)
            try eventually("the end is told") { news.messages.contains { $0.hasPrefix("STOPPING=1") } }
        }
    }
}

/// The socket at which a service manager hears of its services.
private final class NewsSocket: Sendable {
    private let heard = Mutex<[String]>([])

    init(_ path: String) throws {
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            throw ExchangeFailure("cannot bind \(path): \(String(cString: strerror(errno)))")
        }
        Thread { [weak self] in
            defer { close(descriptor) }
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                let isReadable = poll(&entry, 1, 200) > 0
                guard let self else { return }
                if !isReadable { continue }
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                let message = String(decoding: buffer[..<count], as: UTF8.self)
                heard.withLock { $0.append(message) }
            }
        }.start()
    }

    /// What was heard so far.
    var messages: [String] { heard.withLock { $0 } }
}
