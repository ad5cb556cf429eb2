import ByteBuffers
internal import CLibcurl
import EventLoops
import HTTPMessage

/// The way of an answer: from libcurl's callbacks to the attempt, held back while that is paused.
extension CurlTransfer {
    /// A line of the answer's head or trailers has come; 0 gives the transfer up.
    func tookLine(_ line: UnsafeRawBufferPointer) -> Int {
        guard let attempt else { return 0 }
        // SAFETY: libcurl keeps the line during the call, and the span ends before it.
        switch checker.take(Span(_unsafeBytes: line), into: &attempt.head) {
        case .more: break
        case .interim: attempt.interimReceived()
        case .head:
            timer?.schedule(after: attempt.timeouts.idle)
            lane?.touch(self)
            headIsDue = true
            // Over HTTP/2 a head may be the whole answer, which shows when libcurl has returned.
            if !pool.isHTTP2 { tellHead() }
        case .failed(let detail):
            fault = detail
            return 0
        }
        return self.attempt === attempt ? line.count : 0
    }

    /// Tells the attempt of a head that is known to be only that.
    func tellHead() {
        guard headIsDue, let attempt else { return }
        headIsDue = false
        attempt.deliverHead()
    }

    /// A piece of the body has come; another number than its length gives the transfer up or pauses it.
    func tookBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let attempt else { return 0 }
        if held.count >= mostHeld, isPaused || !held.isEmpty {
            // libcurl will hand these bytes over again; and nobody reads the connection until then.
            receivingIsPaused = true
            holdLane()
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        guard checker.takeBody(bytes.count) else {
            fault = "the body is longer than it may be"
            return 0
        }
        tellHead()
        guard self.attempt === attempt else { return 0 }
        // SAFETY: libcurl keeps the bytes during the call, and the span ends before it.
        let piece = Span<UInt8>(_unsafeBytes: bytes)
        if isPaused || !held.isEmpty {
            held.append(piece)
        } else {
            timer?.schedule(after: attempt.timeouts.idle)
            pieceHasCome = true
            lane?.touch(self)
            attempt.bodyReceived(piece)
        }
        return self.attempt === attempt ? bytes.count : 0
    }

    private var mostHeld: Int { lane?.isShared == true ? Self.mostHeldShared : Self.mostHeldAlone }

    private func holdLane() {
        guard !holdsLane, let lane else { return }
        holdsLane = true
        lane.hold()
    }

    /// The lane may be read again, as far as this transfer is concerned.
    func letLaneGo() {
        guard holdsLane else { return }
        holdsLane = false
        lane?.letGo()
    }

    /// Hands on what was held while the attempt was paused.
    private func giveHeld() {
        guard !held.isEmpty, !isPaused, let attempt else { return }
        var waiting = ByteBuffer()
        swap(&waiting, &held)
        while !waiting.isEmpty, !isPaused, self.attempt === attempt {
            let count = min(waiting.count, EventLoop.scratchSize)
            Self.hand(waiting, count, to: attempt)
            waiting.removeFirst(count)
        }
        guard self.attempt === attempt else { return }
        swap(&waiting, &held)
        attempt.piecesEnded()
    }

    private static func hand(_ bytes: borrowing ByteBuffer, _ count: Int, to attempt: UpstreamAttempt) {
        attempt.bodyReceived(bytes.span.extracting(0..<count))
    }

    // MARK: - Between libcurl's turns

    /// libcurl has returned: what could not be done inside of it is done now.
    func settle() {
        // A head with gRPC's status is a whole answer, and must be passed on as one; but libcurl says so only when the
        // request has ended, too, which nobody wants any more.
        if headIsDue, attempt?.head.hasGRPCStatus == true {
            guard isSending, let lane, lane.carries(self) else { return }
            lane.cutOff(self)
            return conclude(nil)
        }
        tellHead()
        if outputWasFull, output.count < UpstreamConnection.lowWater, let attempt {
            outputWasFull = false
            attempt.writable()
        }
        if pieceHasCome, let attempt {
            pieceHasCome = false
            attempt.piecesEnded()
        }
        guard attempt != nil, outcome == nil, checker.isComplete, let lane else { return }
        // The answer is whole, but libcurl waits for the rest of a request that nobody wants any more, or for a body
        // that the answer to a HEAD with content does not have.
        if !requestIsWhole || !output.isEmpty || awaitsBodyInVain, lane.carries(self) {
            lane.cutOff(self)
            conclude(nil)
        }
    }

    /// What was put off to the end of the turn.
    func workLater() {
        giveHeld()
        let receives = receivingIsPaused && held.isEmpty && !isPaused
        let sends = sendingIsPaused && (!output.isEmpty || requestIsWhole)
        if receives {
            receivingIsPaused = false
            letLaneGo()
        }
        if sends { sendingIsPaused = false }
        if receives || sends { lane?.goOn(self, receiving: !receivingIsPaused) }
        if held.isEmpty, let outcome { conclude(outcome) }
    }

    /// What the transfer waits for has not come in time.
    func timeIsOver() {
        guard outcome == nil else { return }
        attempt?.fellSilent = checker.hasPassedHead
        fail(!hasStarted ? .connectTimeout : checker.hasPassedHead ? .truncated : .timeout)
    }
}

extension ResponseHead {
    /// Whether the status of a gRPC call stands in the head: a failure that is answered without a message.
    var hasGRPCStatus: Bool {
        guard fields.contains(.other) else { return false }
        for index in 0..<fields.count where name(index).equalsIgnoringCase("grpc-status") { return true }
        return false
    }
}
