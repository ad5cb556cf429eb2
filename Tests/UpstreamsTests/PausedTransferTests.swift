import Testing

@testable import Upstreams

/// A reader that is slower than its server, where libcurl reads.
@Suite struct PausedTransferTests {
    /// A paused answer waits in the system, not in memory, whether others share its connection or not.
    @Test(arguments: [false, true])
    func aPausedAnswerWaitsInTheSystem(isShared: Bool) throws {
        let bench = try UpstreamBench(.http2Transfers)
        let attempt = RecordingAttempt()
        attempt.onHead = { $0.pause() }
        bench.start(attempt)
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        let other = isShared ? bench.begin() : nil
        if isShared { _ = try peer.requests(2) }
        peer.headers(stream, [(":status", "200")])
        let piece = (0..<16_384).map { UInt8(truncatingIfNeeded: $0) }
        let frame: [UInt8] = [0, 0x40, 0, 0, 0] + [0, 0, 0, UInt8(stream)] + piece
        let count = 800
        var sent = 0
        func feed() -> Int {
            guard sent < count * frame.count else { return 0 }
            let rest = peer.end.sendWhatFits(frame[(sent % frame.count)...])
            sent += rest
            return rest
        }
        var rests = 0
        while rests < 30, sent < count * frame.count {
            rests = feed() == 0 ? rests + 1 : 0
            bench.settle(turns: 1)
        }
        // What the system holds is megabytes, and what we keep is less than the whole.
        #expect(sent < count * frame.count)
        #expect(attempt.received.isEmpty)
        #expect(bench.isQuiet())
        var pauses = 0
        attempt.onPiece = { _ in
            pauses += 1
            if pauses % 7 == 0 { attempt.pause() }
        }
        attempt.resume()
        _ = bench.drive {
            if pauses % 7 == 0 { attempt.resume() }
            _ = feed()
            return sent == count * frame.count
        }
        peer.data(stream, [], ends: true)
        if isShared { peer.answer(try peer.requests(2)[1], "other") }
        #expect(
            bench.drive {
                if pauses % 7 == 0 { attempt.resume() }
                return attempt.isOver
            }, "\(attempt.received.count) of \(count * piece.count) bytes came")
        #expect(attempt.outcome == .ended)
        #expect(attempt.received.count == count * piece.count)
        let intact = stride(from: 0, to: attempt.received.count, by: piece.count).allSatisfy {
            attempt.received[$0..<$0 + piece.count].elementsEqual(piece)
        }
        #expect(intact)
        if let other { #expect(bench.drive { other.outcome == .ended } && other.text == "other") }
    }
}
