import ArgumentParser
import Foundation

/// What every process of the system is told.
struct ServerOptions: ParsableArguments {
    @Option(help: "The port to listen on; 0 takes a free one, which the line on standard output names.")
    var port: UInt16

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The SQLite file to keep the data in; without it the data is kept in memory.")
    var database: String?

    @Flag(help: "Write a line per request, with the traceparent received, to standard error.")
    var log = false

    /// How long requests may take to end, and their spans to be exported.
    private static let grace = Duration.seconds(2)
    private static let leastForSpans = Duration.milliseconds(500)

    /// Serves until SIGTERM or SIGINT.
    func serve(_ name: String, contexts: [BoundedContext], copyFrom source: String? = nil) async throws {
        let termination = TerminationSignals()
        let store: Store
        do {
            store = try Store(contexts: contexts, file: database)
            if let source, let context = contexts.first {
                report(try ContextCopy(context: context, source: source).run(into: store), name: name, source: source)
            }
        } catch let failure as ContextCopy.Failure {
            throw Exit(failure.description, name: name)
        } catch {
            throw Exit("\(database ?? "the database in memory"): \(error)", name: name)
        }
        let toStandardError: @Sendable (String) -> Void = { writeLine($0, to: .standardError) }
        let tracing = TracingEnvironment(ProcessInfo.processInfo.environment, service: "tasksystem-\(name)")
        for notice in tracing.notices {
            writeLine("tasksystem \(name): \(notice)", to: .standardError)
        }
        let exporter = tracing.export.map { settings in
            SpanExporter(settings) { toStandardError("tasksystem \(name): \($0)") }
        }
        let tracer = exporter.map { exporter in Tracer(sampler: tracing.sampler) { exporter.record($0) } }
        let system = TaskSystem(
            name: name, store: store, log: log ? toStandardError : nil, diagnostics: toStandardError, tracer: tracer)
        let server: HTTPServer
        do {
            server = try await HTTPServer.start(host: host, port: Int(port), responder: system)
        } catch {
            throw Exit("cannot listen on \(host):\(port): \(error)", name: name)
        }
        let shownHost = host.contains(":") ? "[\(host)]" : host
        writeLine("tasksystem \(name): listening on http://\(shownHost):\(server.port)", to: .standardOutput)
        await termination.wait()
        let end = ContinuousClock.now + Self.grace
        await server.shutdown(grace: Self.grace)
        // The last requests' spans are only there now, so they get some time whatever the requests have left.
        await exporter?.shutdown(within: max(end - .now, Self.leastForSpans))
    }

    private func report(_ outcome: ContextCopy.Outcome, name: String, source: String) {
        switch outcome {
        case .copied(let rows):
            writeLine("tasksystem \(name): took \(count(rows, "row")) over from \(source)", to: .standardError)
        case .keptOwnChanges:
            let reason = "the data here was changed since it was taken over"
            writeLine("tasksystem \(name): took nothing over from \(source): \(reason)", to: .standardError)
        }
    }
}

/// What a process that serves one context can be told besides.
struct CopyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Take this context's tables over from the monolith's database file before serving.",
            discussion: "May be repeated until the service has changed a row itself; then its own data is kept.",
            valueName: "file"))
    var copyFrom: String?
}

/// The end of a process that could not begin: one line on standard error.
private struct Exit: Error, CustomStringConvertible {
    let description: String

    init(_ reason: String, name: String) {
        description = "tasksystem \(name): \(reason)"
    }
}

/// Writes a whole line at once, past any buffer: whoever started the process waits for it.
private func writeLine(_ line: String, to file: FileHandle) {
    // A reader that is gone must not end the server.
    try? file.write(contentsOf: Data("\(line)\n".utf8))
}
