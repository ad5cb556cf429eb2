import ByteBuffers
internal import CLibcurl
import EventLoops
import HTTPMessage

/// How a transfer ends, and what that means for its attempt.
extension CurlTransfer {
    /// Ends the attempt as failed, whatever libcurl is doing for it.
    func fail(_ failure: UpstreamFailure) {
        let failed = attempt
        attempt = nil
        timer?.cancel()
        lane?.cutOff(self)
        failed?.fail(failure)
    }

    /// Whether a part of the request's body has not been sent.
    var isSending: Bool { hasStarted && (!requestIsWhole || !output.isEmpty) }

    /// Whether anything of the answer has come.
    var answerHasBegun: Bool { checker.hasBegun }

    /// It could not begin.
    func refuse(_ attempt: UpstreamAttempt) {
        self.attempt = nil
        timer?.cancel()
        lane = nil
        isSpoilt = true
        release()
        attempt.fail(.protocolError("libcurl cannot carry the request"))
    }

    /// The lane takes no more requests, and this one has not been sent: another one will carry it.
    func moveOn() {
        guard let attempt else { return }
        handBack(attempt)
        pool.again(attempt)
    }

    /// The lane no longer has the transfer.
    ///
    /// - Parameter isWhole: whether libcurl has brought it to a good end.
    func left(isWhole: Bool) {
        if !isWhole { isSpoilt = true }
        letLaneGo()
        lane = nil
        if attempt == nil { release() }
    }

    /// Lets go of the exchange; the transfer may carry another one.
    func release() {
        // libcurl 7.88 keeps in its handle that it wanted to send a body again, for instance.
        if isSpoilt { return }
        output.removeAll(keeping: Self.mostMemoryKept)
        held.removeAll(keeping: Self.mostMemoryKept)
        request.bytes.removeAll(keeping: Self.mostMemoryKept)
        pool.keep(self)
    }

    /// libcurl is done with the transfer: why it failed, as far as the answer tells, nil when it did not.
    func failure(of code: CURLcode) -> UpstreamFailure? {
        // libcurl may take a request that it can send no more of for a failure, although the answer was whole.
        if pool.isHTTP2, headIsDue, attempt?.head.hasGRPCStatus == true { return nil }
        let isPassedOn = checker.hasPassedHead && !headIsDue
        if let fault { return isPassedOn ? .truncated : .protocolError(fault) }
        if code == CURLE_OK {
            switch checker.end() {
            case .whole: return nil
            case .withoutHead: return .closed
            case .short: return isPassedOn ? .truncated : .closed
            }
        }
        if isPassedOn { return .truncated }
        switch code {
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_OUT_OF_MEMORY, CURLE_HTTP2, CURLE_WRITE_ERROR,
            CURLE_BAD_CONTENT_ENCODING:
            return .protocolError("libcurl could not read the answer")
        default:
            return .closed
        }
    }

    /// libcurl is done with the transfer, and the lane has let it go.
    ///
    /// - Parameters:
    ///   - failure: what ``failure(of:)`` has said.
    ///   - laneWasOpen: whether there was a connection before.
    ///   - laneIsLost: whether there is none now.
    func finished(_ code: CURLcode, _ failure: UpstreamFailure?, laneWasOpen: Bool, laneIsLost: Bool) {
        guard let attempt else { return }
        if !hasStarted {
            if laneWasOpen {
                moveOn()
            } else {
                fail(UpstreamFailure(opening: code))
            }
            return
        }
        if let failure {
            if case .closed = failure, !checker.hasBegun, laneIsLost || Self.refuses(code), !attempt.wasReplaced,
                mayBeStale, attempt.mayBeRepeated, attempt.replayIsWhole
            {
                handBack(attempt)
                attempt.wasReplaced = true
                pool.start(attempt, fresh: true)
                return
            }
            end(.some(failure))
        } else {
            end(nil)
        }
    }

    private func handBack(_ attempt: UpstreamAttempt) {
        self.attempt = nil
        timer?.cancel()
        attempt.transport = nil
        attempt.state = .waiting
        release()
    }

    /// Whether libcurl's words mean that the connection was of no use, or that the stream was refused unprocessed: it
    /// wanted to send the request again.
    private static func refuses(_ code: CURLcode) -> Bool {
        switch code {
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_COULDNT_CONNECT, CURLE_SEND_FAIL_REWIND: true
        default: false
        }
    }

    /// Ends the attempt, when it has taken all that was held for it.
    private func end(_ failure: UpstreamFailure?) {
        if held.isEmpty {
            conclude(failure)
        } else {
            outcome = .some(failure)
            timer?.cancel()
            if !isPaused, let later { loop.atEndOfTurn(later) }
        }
    }

    /// Tells the attempt of its end.
    func conclude(_ failure: UpstreamFailure?) {
        guard let attempt else { return }
        timer?.cancel()
        if failure == nil { checker.appendTrailers(to: &attempt.trailers) }
        if headIsDue, failure == nil, attempt.head.framing == .untilClose, attempt.trailers.isEmpty {
            attempt.head.framing = .length(0)
        }
        if failure == nil { tellHead() }
        guard self.attempt === attempt else { return }
        self.attempt = nil
        if lane == nil { release() }
        if let failure {
            attempt.fail(failure)
        } else {
            attempt.finish()
            attempt.ended()
        }
    }
}
