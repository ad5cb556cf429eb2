import Benchmark
import MicroOperations

/// The times that the operations take: for whoever makes one of them faster. What they may cost is not said here but by
/// the counts of scripts/micro.sh, which do not depend on the machine.
let benchmarks: @Sendable () -> Void = {
    for operation in MicroOperation.all {
        var ready: ReadyOperation?
        Benchmark(
            operation.name,
            configuration: .init(
                metrics: [.wallClock, .throughput], warmupIterations: 3, scalingFactor: .kilo, maxDuration: .seconds(1))
        ) { benchmark in
            let operation = try ready ?? operation.prepare()
            ready = operation
            benchmark.startMeasurement()
            try operation.run(benchmark.scaledIterations.count)
            benchmark.stopMeasurement()
        }
    }
}
