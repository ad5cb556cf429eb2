import EventLoops

/// The deadline of whatever a transfer waits for.
final class TransferDeadline: EventLoops.Timer {
    private unowned let transfer: CurlTransfer

    init(_ transfer: CurlTransfer, loop: EventLoop) {
        self.transfer = transfer
        super.init(loop: loop)
    }

    override func fire() {
        let transfer = transfer
        transfer.timeIsOver()
    }
}

/// What a transfer puts off to the end of a turn.
final class TransferWork: DeferredWork {
    private weak var transfer: CurlTransfer?

    init(_ transfer: CurlTransfer) { self.transfer = transfer }

    override func run() { transfer?.workLater() }
}
