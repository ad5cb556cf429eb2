import HTTP2Framing
import Testing

@testable import HTTPListener

/// What a client may do to an HTTP/2 connection before it is cut off (security.md §1.1).
@Suite struct HTTP2BudgetTests {
    struct Frame: Sendable {
        var type: HTTP2FrameType
        var flags: UInt8 = 0
        var length = 8
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var frames: [Frame]
        /// How many of the frames in a row, at once, are within the bound.
        var most: Int
        var flood: HTTP2Flood
        var testDescription: String { name }

        init(_ name: String, _ frames: Frame..., most: Int, _ flood: HTTP2Flood) {
            self.name = name
            self.frames = frames
            self.most = most
            self.flood = flood
        }
    }

    private static let endStream: UInt8 = 1
    private static let endHeaders: UInt8 = 4

    static let cases: [Case] = [
        Case("rapid reset", Frame(type: .reset), most: 200, .resets),
        Case("settings", Frame(type: .settings), most: 100, .settings),
        Case("settings that acknowledge", Frame(type: .settings, flags: 1, length: 0), most: 100, .settings),
        Case("ping", Frame(type: .ping), most: 100, .pings),
        Case("goaway", Frame(type: .goAway), most: 100, .ignoredFrames),
        Case("continuations", Frame(type: .continuation), most: 5, .continuations),
        Case("empty data", Frame(type: .data, length: 0), most: 1, .emptyFrames),
        Case("empty headers", Frame(type: .headers, length: 0), most: 1, .emptyFrames),
        Case("empty continuations", Frame(type: .continuation, length: 0), most: 1, .emptyFrames),
        Case(
            "empty data and pings", Frame(type: .data, length: 0), Frame(type: .ping), most: 2, .emptyFrames),
        Case("priority", Frame(type: .priority), most: 100, .priorities),
        Case("priority update", Frame(type: .priorityUpdate), most: 100, .priorities),
        Case("window update", Frame(type: .windowUpdate), most: 5, .windowUpdates),
    ]

    @Test(arguments: cases)
    func eachKindHasABound(_ example: Case) {
        var budget = HTTP2Budget(of: .client)
        for index in 0..<(example.most + 1) {
            let frame = example.frames[index % example.frames.count]
            let flood = budget.received(frame.type.rawValue, flags: frame.flags, length: frame.length, at: 1_000_000)
            #expect(flood == (index < example.most ? nil : example.flood), "frame \(index + 1)")
        }
    }

    /// What a client says about an answer that comes, it may say for as long as the answer lasts: gRPC's clients ping with
    /// each round trip, and every client opens its windows.
    @Test func anAnswerWithoutAnEndUsesNothingUp() {
        var budget = HTTP2Budget(of: .client)
        #expect(budget.received(HTTP2FrameType.headers.rawValue, flags: Self.endHeaders, length: 20, at: 0) == nil)
        for round in 0..<1_000_000 {
            budget.dataSent()
            var flood = budget.receivedInput(13 + 13 + 17)
            for type in [HTTP2FrameType.windowUpdate, .windowUpdate, .ping] where flood == nil {
                flood = budget.received(type.rawValue, flags: 0, length: type == .ping ? 8 : 4, at: 1_000_000)
            }
            guard flood == nil else {
                Issue.record("\(String(describing: flood)) after \(round) frames of data")
                return
            }
        }
    }

    /// A gRPC client may send small messages on one stream for days.
    @Test func aBodyOfSmallPiecesUsesNothingUp() {
        var budget = HTTP2Budget(of: .client)
        #expect(budget.received(HTTP2FrameType.headers.rawValue, flags: Self.endHeaders, length: 20, at: 0) == nil)
        for round in 0..<2_000_000 {
            var flood = budget.receivedInput(9 + 6)
            if flood == nil {
                flood = budget.received(HTTP2FrameType.data.rawValue, flags: 0, length: 6, at: 1_000_000)
            }
            budget.receivedBody(6)
            guard flood == nil else {
                Issue.record("\(String(describing: flood)) after \(round) messages")
                return
            }
        }
    }

    @Test func earnedPingsAreNotKeptForEver() {
        var budget = HTTP2Budget(of: .client)
        for _ in 0..<10_000 { budget.dataSent() }
        var pings = 0
        while budget.received(HTTP2FrameType.ping.rawValue, flags: 0, length: 8, at: 1_000_000) == nil, pings < 5_000 {
            pings += 1
        }
        #expect(pings == 1_100)
    }

    @Test func unknownFramesHaveABound() {
        var budget = HTTP2Budget(of: .client)
        for index in 0...100 {
            #expect(budget.received(77, flags: 0, length: 1, at: 5) == (index < 100 ? nil : .ignoredFrames))
        }
    }

    /// What was spent comes back with time, evenly.
    @Test func timeGivesBackWhatWasSpent() {
        var budget = HTTP2Budget(of: .client)
        func reset(at now: UInt64) -> HTTP2Flood? {
            budget.received(HTTP2FrameType.reset.rawValue, flags: 0, length: 4, at: now)
        }
        for _ in 0..<200 { #expect(reset(at: 1_000) == nil) }
        // 150 ms are one of 200 in 30 s.
        #expect(reset(at: 1_150) == nil)
        #expect(reset(at: 1_150) == .resets)
        var other = HTTP2Budget(of: .client)
        for second in 0..<100 {
            for _ in 0..<100 {
                let now = UInt64(second) * 1_000
                #expect(other.received(HTTP2FrameType.ping.rawValue, flags: 0, length: 8, at: now) == nil)
            }
        }
    }

    @Test func framesWithContentBreakARowOfEmptyOnes() {
        var budget = HTTP2Budget(of: .client)
        for _ in 0..<1_000 {
            #expect(budget.received(0, flags: 0, length: 0, at: 0) == nil)
            #expect(budget.received(0, flags: 0, length: 1, at: 0) == nil)
        }
        // The end of a stream is a regular empty frame.
        for _ in 0..<1_000 { #expect(budget.received(0, flags: Self.endStream, length: 0, at: 0) == nil) }
    }

    @Test func aHeaderBlockBeginsTheCountOfContinuationsAnew() {
        var budget = HTTP2Budget(of: .client)
        for _ in 0..<100 {
            #expect(budget.received(1, flags: 0, length: 9, at: 0) == nil)
            for _ in 0..<5 { #expect(budget.received(9, flags: 0, length: 9, at: 0) == nil) }
        }
    }

    /// Windows may be opened for what was sent, and for streams (as Envoy counts).
    @Test func windowsMayBeOpenedForWhatWasSent() {
        var budget = HTTP2Budget(of: .client)
        _ = budget.received(1, flags: Self.endHeaders, length: 9, at: 0)
        budget.dataSent()
        for _ in 0..<27 { #expect(budget.received(8, flags: 0, length: 4, at: 0) == nil) }
        #expect(budget.received(8, flags: 0, length: 4, at: 0) == .windowUpdates)
    }

    @Test func prioritiesMayComeWithStreams() {
        var budget = HTTP2Budget(of: .client)
        _ = budget.received(1, flags: Self.endHeaders, length: 9, at: 0)
        for _ in 0..<200 { #expect(budget.received(2, flags: 0, length: 5, at: 0) == nil) }
        #expect(budget.received(2, flags: 0, length: 5, at: 0) == .priorities)
    }

    @Test func inputThatIsNoBodyIsBounded() {
        var budget = HTTP2Budget(of: .client)
        for _ in 0..<8 { #expect(budget.receivedInput(1_048_576) == nil) }
        #expect(budget.receivedInput(1) == .ignoredFrames)
        _ = budget.received(1, flags: Self.endHeaders, length: 9, at: 0)
        #expect(budget.receivedInput(65_535) == nil)
        for _ in 0..<100 {
            budget.receivedBody(65_536)
            #expect(budget.receivedInput(9 + 65_536) == nil)
        }
        #expect(budget.receivedInput(1) == .ignoredFrames)
    }

    @Test func fieldsOfABlockAreBounded() {
        var budget = HTTP2Budget(of: .client)
        for _ in 0..<1_000 { #expect(budget.receivedField(name: 1, value: 1) == nil) }
        #expect(budget.receivedField(name: 1, value: 1) == .fields)
        budget.blockBegan()
        // One-byte references to a field of 4 KiB.
        for _ in 0..<63 { #expect(budget.receivedField(name: 10, value: 4_096) == nil) }
        #expect(budget.receivedField(name: 10, value: 4_096) == .fields)
    }

    @Test func ourOwnResetsCount() {
        var budget = HTTP2Budget(of: .client)
        for _ in 0..<200 { #expect(budget.streamFailed(at: 9) == nil) }
        #expect(budget.streamFailed(at: 9) == .streamErrors)
    }

    struct Scanned: Equatable {
        var type: UInt8
        var flags: UInt8
        var length: Int
    }

    /// Frames are found however the input is split.
    @Test(arguments: [1, 2, 3, 7, 9, 10, 24, 33, 1_000])
    func framesAreFoundByTheirHeaders(size: Int) {
        let frames = [
            WireFrame(type: 4), WireFrame(type: 1, flags: 1, stream: 1, payload: [1, 2, 3]),
            WireFrame(type: 9, flags: 4, stream: 1, payload: [4]),
            WireFrame(type: 0, flags: 1, stream: 1, payload: [UInt8](repeating: 9, count: 300)), WireFrame(type: 77),
        ]
        let bytes = HTTP2Client.preface + frames.flatMap(\.bytes)
        var scanner = HTTP2FrameScanner(of: .client)
        var found: [Scanned] = []
        var heads: [Bool] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = Array(bytes[start..<min(start + size, bytes.count)])
            let flood = scanner.next(piece.span) { type, flags, length in
                found.append(Scanned(type: type, flags: flags, length: length))
                return nil
            }
            #expect(flood == nil)
            heads.append(scanner.isInHead)
        }
        #expect(found == frames.map { Scanned(type: $0.type, flags: $0.flags, length: $0.payload.count) })
        // From the end of the first header of the block to the end of its last payload.
        if size == 1 {
            let first = heads.firstIndex(of: true)
            #expect(first == 24 + 9 + 8)
            #expect(heads.filter { $0 }.count == 1 + 3 + 9)
        }
        #expect(heads.last == false)
    }

    /// Late resets: what was given up keeps its place for a second or two.
    @Test func abandonedWorkKeepsItsPlace() {
        var budget = HTTP2Budget(of: .client)
        func mayBegin(beside running: Int, at now: UInt64) -> Bool {
            budget.mayBegin(beside: running, most: 128, at: now)
        }
        for _ in 0..<60 { budget.workAbandoned(at: 10_000) }
        #expect(mayBegin(beside: 67, at: 10_050))
        #expect(!mayBegin(beside: 68, at: 10_050))
        for _ in 0..<60 { budget.workAbandoned(at: 10_100) }
        #expect(mayBegin(beside: 7, at: 10_200))
        #expect(!mayBegin(beside: 8, at: 10_200))
        #expect(!mayBegin(beside: 8, at: 10_999))
        #expect(!mayBegin(beside: 8, at: 11_500))
        #expect(mayBegin(beside: 127, at: 12_100))
        #expect(!mayBegin(beside: 128, at: 12_100))
    }
}
