import Dispatch
import Foundation

/// SIGTERM and SIGINT, taken from the moment of creation, so that none is lost while the process is being set up.
final class TerminationSignals {
    private let arrivals: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        arrivals = stream
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
        // A peer that is gone is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    deinit {
        for source in sources {
            source.cancel()
        }
    }

    /// Returns when the first signal has arrived.
    func wait() async {
        for await _ in arrivals {
            return
        }
    }
}
