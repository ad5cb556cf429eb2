import ByteBuffers
import Foundation
import Testing

@testable import Compression

/// What is compressed is what another implementation makes of it again (RFC 1952).
@Suite struct GzipEncoderTests {
    private static func compress(_ text: [UInt8], _ encoder: inout GzipEncoder) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try #require(encoder.encode(text.span, to: &buffer))
        return buffer.withUnsafeBytes { Array($0) }
    }

    /// What the gzip command makes of it.
    private static func expand(_ bytes: [UInt8]) throws -> [UInt8] {
        let command = Process()
        command.executableURL = URL(filePath: "/bin/gzip")
        command.arguments = ["-dc"]
        let input = Pipe()
        let output = Pipe()
        command.standardInput = input
        command.standardOutput = output
        try command.run()
        let writer = input.fileHandleForWriting
        Thread.detachNewThread {
            try? writer.write(contentsOf: Data(bytes))
            try? writer.close()
        }
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        command.waitUntilExit()
        try #require(command.terminationStatus == 0)
        return Array(text)
    }

    @Test(arguments: [0, 1, 100, 65_536, 1_000_003])
    func whatIsCompressedComesBack(size: Int) throws {
        guard var encoder = GzipEncoder() else {
            Issue.record("there is no memory")
            return
        }
        let texts = [
            [UInt8](repeating: 0x61, count: size), (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 7) },
        ]
        for text in texts {
            let bytes = try Self.compress(text, &encoder)
            #expect(try Self.expand(bytes) == text)
            if size > 1_000, text[0] == text[size - 1] { #expect(bytes.count < size / 50) }
        }
    }

    /// It is appended, and nothing of the last text is left for the next one.
    @Test func oneEncoderServesManyTexts() throws {
        guard var encoder = GzipEncoder(level: 9) else {
            Issue.record("there is no memory")
            return
        }
        let first = try Self.compress(Array("first".utf8), &encoder)
        let second = try Self.compress(Array("second".utf8), &encoder)
        #expect(try Self.expand(first + second) == Array("firstsecond".utf8))
        #expect(try Self.compress(Array("first".utf8), &encoder) == first)
    }
}
