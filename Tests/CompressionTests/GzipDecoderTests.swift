import ByteBuffers
import Foundation
import Testing

@testable import Compression

/// What others have compressed is what it was before, and nothing else is taken for it (RFC 1952).
@Suite struct GzipDecoderTests {
    private struct Result: Equatable {
        var outcome = GzipDecoder.Outcome.taken
        var isWhole = false
        var text: [UInt8] = []
    }

    /// Decodes `bytes` in pieces of this size.
    private static func decode(_ bytes: [UInt8], piece: Int = .max, limit: Int = 1 << 20) throws -> Result {
        guard var decoder = GzipDecoder(limit: limit) else { throw Missing() }
        var result = Result()
        var start = 0
        while start < bytes.count, result.outcome == .taken {
            let end = piece < bytes.count - start ? start + piece : bytes.count
            result.outcome = decoder.decode(bytes.span.extracting(start..<end)) { piece in
                for index in 0..<piece.count { result.text.append(piece[index]) }
                return true
            }
            start = end
        }
        result.isWhole = decoder.isWhole
        return result
    }

    private struct Missing: Error {}

    /// What the gzip command makes of `text`.
    private static func compress(_ text: [UInt8], level: Int = 6) throws -> [UInt8] {
        let command = Process()
        command.executableURL = URL(filePath: "/bin/gzip")
        command.arguments = ["-c", "-\(level)"]
        let input = Pipe()
        let output = Pipe()
        command.standardInput = input
        command.standardOutput = output
        try command.run()
        let writer = input.fileHandleForWriting
        Thread.detachNewThread {
            try? writer.write(contentsOf: Data(text))
            try? writer.close()
        }
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        command.waitUntilExit()
        try #require(command.terminationStatus == 0)
        return Array(bytes)
    }

    private static func noise(_ count: Int) -> [UInt8] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    private static let hello = Array(#"{"hello":"world","hello":"world"}"#.utf8)

    @Test(arguments: [0, 1, 100, 32_767, 32_768, 32_769, 65_536, 1_000_003], [1, 7, 1000, .max])
    func whatWasCompressedComesBack(size: Int, piece: Int) throws {
        if piece < 100, size > 100_000 { return }
        for text in [[UInt8](repeating: 0x61, count: size), Self.noise(size)] {
            let result = try Self.decode(Self.compress(text), piece: piece, limit: 2_000_000)
            #expect(result.outcome == .taken && result.isWhole)
            #expect(result.text == text)
        }
    }

    /// RFC 1952 §2.2: a file may have several members.
    @Test func membersFollowEachOther() throws {
        let first = try Self.compress(Self.hello)
        let second = try Self.compress([])
        for piece in [1, 3, .max] {
            let result = try Self.decode(first + second + first, piece: piece)
            #expect(
                result == Result(outcome: .taken, isWhole: true, text: Self.hello + Self.hello), "pieces of \(piece)")
        }
    }

    @Test func whatIsCutIsNotWhole() throws {
        let bytes = try Self.compress(Self.hello)
        for count in 0..<bytes.count {
            let result = try Self.decode(Array(bytes.prefix(count)))
            #expect(result.outcome == .taken && !result.isWhole, "\(count) of \(bytes.count)")
        }
    }

    /// A header's flags, its time and its system may be anything, and a few bits are there to fill a byte; what is checked
    /// is checked.
    @Test func whatIsDamagedIsNotTakenForSomethingElse() throws {
        let text = Self.noise(300)
        let bytes = try Self.compress(text)
        var found = 0
        for index in bytes.indices where !(3...9).contains(index) {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                let result = try Self.decode(damaged)
                if !result.isWhole { found += 1 }
                #expect(!result.isWhole || result.text == text, "bit \(bit) of byte \(index)")
            }
        }
        #expect(found > 8 * (bytes.count - 9))
    }

    @Test(arguments: [[0x00], [0x1F], [0x1F, 0x8B], Array("x".utf8), [0x0D, 0x0A]] as [[UInt8]], [1, Int.max])
    func whatFollowsIsNotTaken(rest: [UInt8], piece: Int) throws {
        let result = try Self.decode(Self.compress(Self.hello) + rest, piece: piece)
        #expect(!(result.outcome == .taken && result.isWhole))
        #expect(result.text == Self.hello)
    }

    @Test(
        arguments: [
            Array("{}".utf8), [0x78, 0x9C, 0xAB, 0xAE, 0x05, 0x00, 0x01, 0x75, 0x00, 0xF9], [0xAB, 0xAE, 0x05, 0x00],
            [0x1F, 0x8B, 0x07, 0, 0, 0, 0, 0, 0, 3], [0x1F, 0x8B, 0x08, 0xE0, 0, 0, 0, 0, 0, 3],
        ] as [[UInt8]])
    func whatIsNotGzipIsCorrupt(bytes: [UInt8]) throws {
        #expect(try Self.decode(bytes).outcome == .corrupt)
    }

    // MARK: - The bound

    @Test func theBoundIsExact() throws {
        let text = [UInt8](repeating: 0x20, count: 100_000)
        let bytes = try Self.compress(text)
        #expect(try Self.decode(bytes, limit: 100_000) == Result(outcome: .taken, isWhole: true, text: text))
        let over = try Self.decode(bytes, limit: 99_999)
        #expect(over.outcome == .tooLarge && !over.isWhole)
        #expect(over.text.count <= 99_999)
    }

    /// A bomb of 64 MiB, one piece of it: what comes out stops soon after the bound, however much would.
    @Test func aBombIsStopped() throws {
        let bytes = try Self.compress([UInt8](repeating: 0, count: 64 << 20), level: 9)
        #expect(bytes.count < 70_000)
        guard var decoder = GzipDecoder(limit: 1 << 20) else { throw Missing() }
        var count = 0
        let outcome = decoder.decode(bytes.span) { piece in
            count += piece.count
            return true
        }
        let again = decoder.decode(bytes.span) { _ in
            Issue.record("it goes on")
            return true
        }
        #expect(outcome == .tooLarge && again == .tooLarge && count <= 1 << 20)
    }

    /// Members without content are no way around the bound.
    @Test func emptyMembersAreBounded() throws {
        let empty = try Self.compress([])
        let bytes = Array(repeating: empty, count: 1000).flatMap { $0 }
        #expect(try Self.decode(bytes, piece: 100, limit: 10_000).outcome == .tooLarge)
        #expect(try Self.decode(bytes, piece: 100, limit: bytes.count).isWhole)
    }

    @Test func aReaderThatHasEnoughIsLeftAlone() throws {
        let bytes = try Self.compress([UInt8](repeating: 0, count: 1_000_000))
        guard var decoder = GzipDecoder(limit: 2_000_000) else { throw Missing() }
        var calls = 0
        _ = decoder.decode(bytes.span) { _ in
            calls += 1
            return false
        }
        let isWhole = decoder.isWhole
        #expect(calls == 1 && !isWhole)
    }

    // MARK: - Properties

    /// Whatever the bytes are: it ends, gives no more than the bound, and the same in any pieces.
    @Test func anyBytesInAnyPieces() throws {
        let seeds = [try Self.compress(Self.hello), try Self.compress(Self.noise(500)), try Self.compress([])]
        var state: UInt64 = 42
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<3000 {
            var bytes = seeds[next(seeds.count)] + seeds[next(seeds.count)].prefix(next(40))
            for _ in 0..<next(4) { bytes[next(bytes.count)] = UInt8(next(256)) }
            let whole = try Self.decode(bytes, limit: 400)
            let pieces = try Self.decode(bytes, piece: 1 + next(20), limit: 400)
            #expect(whole.text.count <= 400 && pieces.text.count <= 400)
            #expect(whole.isWhole == pieces.isWhole, "\(bytes)")
            if whole.isWhole { #expect(whole.text == pieces.text, "\(bytes)") }
        }
    }
}
