import Foundation
import Testing

@testable import tasksystem

@Suite("The command")
struct CommandTests {
    /// The built program, beside the tests.
    private static var program: URL {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        while !FileManager.default.isExecutableFile(atPath: folder.appending(path: "tasksystem").path),
            folder.path != "/"
        {
            folder.deleteLastPathComponent()
        }
        return folder.appending(path: "tasksystem")
    }

    /// Runs the program to its end.
    private func run(_ arguments: [String]) async throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        let output = Pipe(), errors = Pipe()
        process.executableURL = Self.program
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = errors
        return try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { process in
                let texts = [output, errors].map {
                    String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                }
                continuation.resume(returning: (process.terminationStatus, texts[0], texts[1]))
            }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
    }

    @Test(
        "a process says where it listens in one line, serves, logs, and ends at a signal", arguments: [SIGTERM, SIGINT])
    func life(signal: Int32) async throws {
        let process = Process()
        let output = Pipe(), errors = Pipe()
        process.executableURL = Self.program
        process.arguments = ["comments", "--port", "0", "--log"]
        process.standardOutput = output
        process.standardError = errors
        let ended = AsyncStream<Int32>.makeStream()
        process.terminationHandler = {
            ended.continuation.yield($0.terminationReason == .exit ? $0.terminationStatus : -1)
        }
        try process.run()
        defer { if process.isRunning { process.terminate() } }

        let line = try await firstLine(of: output)
        let match = try #require(
            try /^tasksystem comments: listening on http:\/\/127\.0\.0\.1:(\d+)$/.wholeMatch(in: line))
        let client = RawClient(port: try #require(Int(match.1)))
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let transcript = try await client.exchange(
            "GET /tasks/1/comments HTTP/1.1\r\nHost: t\r\ntraceparent: \(trace)\r\nConnection: close\r\n\r\n")
        #expect(Answer(transcript.text)?["Served-By"] == "comments")

        kill(process.processIdentifier, signal)
        var endings = ended.stream.makeAsyncIterator()
        #expect(await endings.next() == 0)
        let log = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(log.hasPrefix("comments: GET /tasks/1/comments 200 "))
        #expect(log.hasSuffix(" traceparent=\(trace)\n"))
        let rest = output.fileHandleForReading.readDataToEndOfFile()
        #expect(rest.isEmpty)
    }

    private func firstLine(of pipe: Pipe) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                var line: [UInt8] = []
                while let byte = try? pipe.fileHandleForReading.read(upToCount: 1)?.first, byte != 0x0A {
                    line.append(byte)
                }
                continuation.resume(returning: String(decoding: line, as: UTF8.self))
            }
        }
    }

    @Test(
        "what cannot begin says why in one line",
        arguments: [
            (
                ["comments", "--port", "0", "--copy-from", "/nowhere/m.db"],
                "tasksystem comments: /nowhere/m.db: there is no such file"
            ),
            (["users", "--port", "0", "--database", "/nowhere/u.db"], "tasksystem users: /nowhere/u.db: "),
            (["audit", "--port", "0", "--host", "203.0.113.1"], "tasksystem audit: cannot listen on 203.0.113.1:0: "),
        ])
    func failures(arguments: [String], beginning: String) async throws {
        let result = try await run(arguments)
        #expect(result.status != 0)
        #expect(result.output.isEmpty)
        let line = result.errors.hasPrefix("Error: ") ? String(result.errors.dropFirst(7)) : result.errors
        #expect(line.hasPrefix(beginning), "\(result.errors)")
        #expect(line.split(separator: "\n").count == 1, "\(result.errors)")
    }

    @Test("help has examples", arguments: ["", "monolith", "users", "tasks", "comments", "notifications", "audit"])
    func help(command: String) async throws {
        let result = try await run((command.isEmpty ? [] : [command]) + ["--help"])
        #expect(result.status == 0)
        #expect(result.output.contains("tasksystem \(command.isEmpty ? "monolith" : command) --port 90"))
    }
}
