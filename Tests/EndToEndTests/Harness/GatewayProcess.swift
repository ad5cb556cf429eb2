import Foundation
import Glibc

/// What routes.json says, with what a test does not care about filled in: free ports, one worker.
struct GatewaySetup {
    /// The addresses of the listeners.
    var listeners = [#"{"address": "127.0.0.1:0"}"#]
    /// The admin listener.
    var admin = #"{"address": "127.0.0.1:0"}"#
    /// Further members of `gateway`.
    var gateway: [String] = []
    /// The members of `upstreams`, by name.
    var upstreams: [(name: String, value: String)] = []
    /// The members of `contexts`, or none.
    var contexts: [String] = []
    /// The elements of `routes`.
    var routes: [String] = []
    /// The upstreams that have to live as long as the gateway.
    private var stubs: [StubUpstream] = []

    /// Everything to one upstream.
    init(forwardingTo upstream: StubUpstream) {
        self = GatewaySetup().upstream("stub", upstream).route(#"{"match": "/{rest...}", "to": "stub"}"#)
    }

    /// Everything to one upstream, whose settings are these members beside `servers`.
    init(forwardingTo upstream: StubUpstream, _ settings: String) {
        self = GatewaySetup().upstream("stub", upstream, settings).route(#"{"match": "/{rest...}", "to": "stub"}"#)
    }

    init() {}

    func upstream(_ name: String, _ stub: StubUpstream, _ settings: String? = nil) -> GatewaySetup {
        var setup = upstream(name, url: stub.url, settings)
        setup.stubs.append(stub)
        return setup
    }

    /// An upstream of several servers.
    func upstream(_ name: String, _ stubs: [StubUpstream], _ settings: String? = nil) -> GatewaySetup {
        var setup = self
        let servers = stubs.map { "\"\($0.url)\"" }.joined(separator: ", ")
        setup.upstreams.append((name, #"{"servers": [\#(servers)]\#(settings.map { ", \($0)" } ?? "")}"#))
        setup.stubs += stubs
        return setup
    }

    func upstream(_ name: String, url: String, _ settings: String? = nil) -> GatewaySetup {
        var setup = self
        setup.upstreams.append((name, #"{"servers": ["\#(url)"]\#(settings.map { ", \($0)" } ?? "")}"#))
        return setup
    }

    func route(_ json: String) -> GatewaySetup {
        var setup = self
        setup.routes.append(json)
        return setup
    }

    func context(_ json: String) -> GatewaySetup {
        var setup = self
        setup.contexts.append(json)
        return setup
    }

    func gateway(_ json: String) -> GatewaySetup {
        var setup = self
        setup.gateway.append(json)
        return setup
    }

    func listeners(_ addresses: String...) -> GatewaySetup {
        var setup = self
        setup.listeners = addresses.map { #"{"address": "\#($0)"}"# }
        return setup
    }

    var text: String {
        let gateway =
            [#""listeners": [\#(listeners.joined(separator: ", "))]"#, #""admin": \#(admin)"#]
            + gateway
        let upstreams = upstreams.map { #""\#($0.name)": \#($0.value)"# }
        return """
            {
              "gateway": { \(gateway.joined(separator: ", ")) },
              "flags": "flags.json",
              "upstreams": { \(upstreams.joined(separator: ", ")) },
              "contexts": { \(contexts.joined(separator: ", ")) },
              "routes": [
                \(routes.joined(separator: ",\n    "))
              ]
            }
            """
    }
}

/// A folder that goes away with its object.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/banyan-e2e-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Puts a file in place as editors do: written beside it, then renamed.
    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name + ".new")))
        guard rename(file(name + ".new"), file(name)) == 0 else {
            throw ExchangeFailure("cannot rename: \(String(cString: strerror(errno)))")
        }
    }
}

/// `banyan run` with a configuration of its own.
final class GatewayProcess {
    static let noFlags = #"{"flags": {}}"#

    private let setup: GatewaySetup
    let folder: TemporaryFolder
    let process: RunningProcess
    /// Where it listens, in the order of the configuration.
    let places: [SocketPlace]
    let adminPlace: SocketPlace

    /// Starts it and waits until it listens.
    ///
    /// - Parameter wrapper: shell commands that are run first, in the process that then becomes the gateway.
    init(
        _ setup: GatewaySetup, flags: String = GatewayProcess.noFlags, workers: Int = 1,
        folder: TemporaryFolder? = nil, binary: String = Binaries.path("banyan"), environment: [String: String] = [:],
        after wrapper: String? = nil
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        self.setup = setup
        self.folder = folder
        try folder.write("routes.json", setup.text)
        try folder.write("flags.json", flags)
        var command = [binary, "run", "-c", folder.file("routes.json"), "--workers", "\(workers)"]
        if let wrapper { command = ["/bin/sh", "-c", "\(wrapper) && exec \"$@\"", "sh"] + command }
        let process = try RunningProcess(command[0], Array(command.dropFirst()), environment: environment)
        self.process = process
        try process.line("where the gateway listens") { $0.hasSuffix("(admin)") }
        let places = process.lines().filter { $0.hasPrefix("banyan: listening on ") }
            .compactMap { SocketPlace(parsing: $0.dropFirst(21)) }
        guard let admin = places.last else { throw ExchangeFailure("no address", transcript: process.transcript) }
        self.places = places.dropLast()
        adminPlace = admin
    }

    deinit { process.signal(SIGKILL) }

    var place: SocketPlace { places.first ?? adminPlace }

    var url: String { "http://\(place)" }

    /// A connection to it.
    ///
    /// - Parameter receiveBuffer: how many bytes the system holds for a client that does not read; its default if nil.
    func client(receiveBuffer: CInt? = nil) throws -> RawClient {
        try RawClient(place, of: self, receiveBuffer: receiveBuffer)
    }

    /// One request on a connection of its own.
    func exchange(_ line: String, _ fields: [String] = [], body: String? = nil) throws -> HTTPText {
        try client().exchange(line, fields, body: body)
    }

    /// Asks the admin listener, with its token where it has one.
    func admin(_ path: String, token: String? = nil) throws -> HTTPText {
        try RawClient(adminPlace).exchange("GET \(path)", token.map { ["Authorization: Bearer \($0)"] } ?? [])
    }

    /// The number of the configuration in force; each reload that is accepted raises it, and so does what is chosen at run
    /// time.
    func generation(token: String? = nil) throws -> Int {
        try admin("/status", token: token).json["generation"] as? Int ?? 0
    }

    /// Puts a file in place and waits until it is in force.
    func reload(_ name: String, _ text: String) throws {
        let before = try generation()
        try folder.write(name, text)
        try eventually("\(name) is in force") { try generation() > before }
    }

    /// The access log's line of the first request that fits.
    func logLine(_ what: String, where fits: ([String: Any]) -> Bool) throws -> [String: Any] {
        let line = try process.line("in the access log: \(what)") { Self.object($0).map(fits) ?? false }
        return Self.object(line) ?? [:]
    }

    /// The access log's line of the request for this path.
    func logLine(path: String) throws -> [String: Any] { try logLine(path) { $0["path"] as? String == path } }

    /// Sends SIGTERM and waits for the end.
    func terminate() throws -> Int32 {
        process.signal(SIGTERM)
        return try process.end()
    }

    private static func object(_ line: String) -> [String: Any]? {
        line.hasPrefix("{") ? try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] : nil
    }
}

/// A process of the Task Management System.
final class TaskSystemProcess {
    let process: RunningProcess
    let place: SocketPlace

    /// Starts `tasksystem NAME` and waits until it listens.
    ///
    /// - Parameter environment: variables beside those of the tests.
    init(_ name: String, port: Int = 0, environment: [String: String] = [:]) throws {
        process = try RunningProcess(
            Binaries.path("tasksystem"), [name, "--port", "\(port)", "--log"], environment: environment)
        let line = try process.line("where \(name) listens") { $0.contains("listening on ") }
        guard let address = line.components(separatedBy: "listening on ").last,
            let place = SocketPlace(parsing: address)
        else { throw ExchangeFailure("no address in \(line)") }
        self.place = place
    }

    deinit { process.signal(SIGKILL) }

    var url: String { "http://\(place)" }
}
