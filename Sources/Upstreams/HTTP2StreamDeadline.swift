import EventLoops

/// The deadline of whatever a request waits for.
final class HTTP2StreamDeadline: EventLoops.Timer {
    private unowned let stream: HTTP2UpstreamStream

    init(_ stream: HTTP2UpstreamStream, loop: EventLoop) {
        self.stream = stream
        super.init(loop: loop)
    }

    override func fire() {
        let stream = stream
        stream.timeIsOver()
    }
}

/// What a stream puts off to the end of a turn.
final class HTTP2StreamWork: DeferredWork {
    private weak var stream: HTTP2UpstreamStream?

    init(_ stream: HTTP2UpstreamStream) { self.stream = stream }

    override func run() { stream?.deliver() }
}
