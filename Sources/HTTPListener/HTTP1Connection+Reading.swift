import ByteBuffers
import EventLoops
import HTTPMessage

/// How requests are read on an HTTP/1 connection: one after the other, with what comes early kept for later.
extension HTTP1Connection {
    /// Takes what the client has sent.
    func received(_ input: Span<UInt8>) {
        // What waits goes first, also in the turn in which an answer has ended and it is not taken up yet.
        let taken = pending.isEmpty || phase == .linger ? process(input) : 0
        if taken < input.count { pending.append(input.extracting(taken...)) }
        updateWatch()
    }

    /// Takes input through as many requests as it holds and can be begun, and says how much of it that is.
    private func process(_ input: Span<UInt8>) -> Int {
        isProcessing = true
        var position = 0
        reading: while position < input.count {
            switch phase {
            case .head: position += readHead(input.extracting(position...))
            case .body where !bodyIsPaused: position += readBody(input.extracting(position...))
            case .linger, .closed: position = input.count
            case .body, .answer: break reading
            }
        }
        isProcessing = false
        hasMoreInput = false
        return position
    }

    /// Goes on with what waited. Requests that are answered at once are taken in a loop, never by recursion.
    func processPending() {
        if !isProcessing, !pending.isEmpty, phase == .head || (phase == .body && !bodyIsPaused) {
            var waiting = ByteBuffer()
            swap(&waiting, &pending)
            let taken = process(waiting.span)
            if taken < waiting.count, phase != .linger, phase != .closed {
                waiting.removeFirst(taken)
                swap(&waiting, &pending)
            }
        }
        updateWatch()
    }

    private func readHead(_ input: Span<UInt8>) -> Int {
        let exchange = exchangeForHead()
        switch parser.consume(input, into: &exchange.head) {
        case .incomplete:
            if parser.hasBegun, !headIsTimed {
                headIsTimed = true
                idleSince = connection.loop.now
                if requests > 0 { connection.limitReading(to: server.limits.headTimeout) }
            }
            return input.count
        case .complete(let consumed):
            hasMoreInput = consumed < input.count
            begin(exchange)
            return consumed
        case .failed(let error):
            exchange.refusal = error
            fail(.refused)
            return input.count
        }
    }

    private func exchangeForHead() -> ServerExchange {
        if let exchange { return exchange }
        let fresh = server.takeExchange()
        fresh.prepare(on: self, at: EventLoop.nanoseconds)
        exchange = fresh
        return fresh
    }

    private func begin(_ exchange: ServerExchange) {
        requests += 1
        headIsTimed = false
        mustClose = !exchange.head.keepsAlive || requests >= server.limits.requestsPerConnection
        let framing = exchange.head.framing
        if framing == .none || framing == .length(0) {
            phase = .answer
            connection.readWithoutLimit()
        } else {
            phase = .body
            body.begin(framing)
            awaitsContinue = exchange.head.expectsContinue
            bodyIsPaused = false
            connection.limitReading(to: server.limits.bodyTimeout)
        }
        exchangeIsTold = true
        exchange.headReceived()
    }

    private func readBody(_ input: Span<UInt8>) -> Int {
        guard let exchange else { return input.count }
        awaitsContinue = false
        switch body.next(input) {
        case .data(let range, let consumed):
            exchange.bytesReceived &+= UInt64(range.count)
            if exchange.bytesReceived > exchange.bodyLimit {
                fail(.bodyTooLarge)
                return input.count
            }
            limitBody()
            hasMoreInput = consumed < input.count
            exchange.bodyReceived(input.slice(range))
            if body.isComplete { endBody(exchange) }
            return consumed
        case .needMore(let consumed):
            return consumed
        case .end(let consumed):
            hasMoreInput = consumed < input.count
            endBody(exchange)
            return consumed
        case .failed(let detail):
            exchange.refusal = .badRequest(detail)
            fail(.badBody)
            return input.count
        }
    }

    /// A body that falls silent ends the request; a tunnel has times of its own.
    func limitBody() {
        if !isTunnel { connection.limitReading(to: server.limits.bodyTimeout) }
    }

    private func endBody(_ exchange: ServerExchange) {
        guard phase == .body else { return }
        phase = .answer
        connection.readWithoutLimit()
        exchange.bodyEnded()
    }

    func updateWatch() {
        if phase == .closed { return }
        var events: Poll.Events = outputIsBlocked ? .writable : []
        let isFull = pending.count >= ConnectionLimits.pipelineBytes || (phase == .body && bodyIsPaused)
        events.insert(isFull ? .disconnect : .readable)
        connection.watch(events)
    }
}
