import ArgumentParser
import GatewayConfig
import GatewayCore
import Glibc
import HTTPListener
import JSON

/// Where a command finds the admin listener of a gateway that runs.
struct AdminOptions: ParsableArguments {
    @Option(name: [.short, .customLong("config")], help: "The configuration file, which says where the listener is.")
    var config = "routes.json"

    @Option(help: "The admin listener's address, instead of the one in the configuration.")
    var admin: String?

    @Option(help: "The environment variable with the admin listener's token, instead of the one in the configuration.")
    var tokenEnv: String?

    /// A client of the listener. A configuration that has mistakes elsewhere is good enough to find it.
    func client() throws -> AdminClient {
        let environment = ProcessEnvironment.variables
        var token: String?
        if let tokenEnv {
            guard let value = environment[tokenEnv], !value.isEmpty else {
                throw CommandFailure(message: "the environment variable \(tokenEnv) is not set", exitCode: 64)
            }
            token = value
        }
        if let admin {
            do throws(ValueProblem) {
                let address = try ListenAddress(parsing: admin, folder: ConfigurationFolder(of: "./routes.json"))
                return AdminClient(address: address, token: token)
            } catch {
                throw CommandFailure(message: "--admin: \(error.message)", exitCode: 64)
            }
        }
        guard let text = FileAccess.system.contents(config) else {
            throw CommandFailure(message: "\(config) cannot be read; --admin says where the gateway is", exitCode: 78)
        }
        let reading = ConfigurationReader.read(text: text, file: config, environment: environment)
        guard let section = reading.draft?.gateway.admin else {
            throw CommandFailure(
                message: "\(config) has no admin listener; --admin says where the gateway's is", exitCode: 78)
        }
        if token == nil, let secret = section.token {
            do throws(ValueProblem) {
                token = try secret.value(files: .system)
            } catch {
                throw CommandFailure(message: "\(config): /gateway/admin/token: \(error.message)", exitCode: 78)
            }
        }
        return AdminClient(address: section.address, token: token)
    }
}

/// Asks the admin listener of a gateway that runs, one question a connection.
struct AdminClient {
    let address: ListenAddress
    let token: String?

    /// What it said.
    struct Answer {
        var status: Int
        var body: JSONValue
        /// The body as it came.
        var text: String
    }

    /// Longer than a gateway asks the servers of a pool.
    private static let patience = 10
    private static let longestAnswer = 16 << 20

    /// Sends a request and reads the answer to its end.
    ///
    /// - Throws: `CommandFailure` with 69 where there is no answer.
    func ask(_ method: String, _ path: String, body: String? = nil) throws -> Answer {
        var request = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n"
        if let token { request += "Authorization: Bearer \(token)\r\n" }
        if let body { request += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        let socket = try connect()
        defer { close(socket) }
        try send(Array((request + "\r\n" + (body ?? "")).utf8), to: socket)
        return try Self.answer(in: try receive(from: socket)) ?? unreachable("what it answers is not HTTP")
    }

    private var host: String {
        if case .unix = address { "localhost" } else { address.description }
    }

    private func connect() throws -> CInt {
        var reason = "the name has no address"
        for candidate in SocketAddress.resolving(address) {
            let descriptor = socket(candidate.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { return try unreachable(String(cString: strerror(errno))) }
            var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
            if candidate.withSystemAddress({ Glibc.connect(descriptor, $0, $1) }) == 0 { return descriptor }
            reason = String(cString: strerror(errno))
            close(descriptor)
        }
        return try unreachable(reason)
    }

    private func send(_ bytes: [UInt8], to socket: CInt) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the pointer is used during the call only, and send(2) reads at most the count that it is given.
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return try unreachable(String(cString: strerror(errno))) }
            rest = rest.dropFirst(count)
        }
    }

    private func receive(from socket: CInt) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            // SAFETY: the pointer is used during the call only, and recv(2) writes at most the count that it is given.
            let count = chunk.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
            if count == 0 { return bytes }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                return try unreachable(errno == EAGAIN ? "no answer within \(Self.patience) s" : reason)
            }
            bytes += chunk[..<count]
            if bytes.count > Self.longestAnswer { return try unreachable("its answer does not end") }
        }
    }

    private func unreachable<Value>(_ reason: String) throws -> Value {
        throw CommandFailure(message: "the admin listener at \(address) cannot be reached: \(reason)", exitCode: 69)
    }

    /// The answer in `bytes`, nil where that is none or not all of it.
    private static func answer(in bytes: [UInt8]) throws -> Answer? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count > 1, words[0] == "HTTP/1.1", let status = Int(words[1]) else { return nil }
        let body = Array(bytes[end.upperBound...])
        for line in lines where line.lowercased().hasPrefix("content-length:") {
            let length = line.split(separator: ":").last.flatMap { Int($0.drop { $0 == " " }) }
            guard length == body.count else { return nil }
        }
        let value = (try? JSONDocument(parsing: body).value()) ?? .null
        return Answer(status: status, body: value, text: String(decoding: body, as: UTF8.self))
    }
}

extension AdminClient.Answer {
    /// The answer where it is 200.
    ///
    /// - Throws: `CommandFailure` with 1 and what the gateway says is wrong.
    func accepted() throws -> AdminClient.Answer {
        if status == 200 { return self }
        var message = "the gateway refuses (\(status))"
        if case .string(let detail) = body["detail"] { message += ": \(detail)" }
        if case .array(let errors) = body["errors"] {
            for case .string(let error) in errors where !message.hasSuffix(error) { message += "\n  \(error)" }
        }
        throw CommandFailure(message: message, exitCode: 1)
    }
}
