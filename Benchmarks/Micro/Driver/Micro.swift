import MicroOperations

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Does one operation so often, for a program that counts what that costs.
@main
enum Micro {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.isEmpty {
            for operation in MicroOperation.all { print(operation.name) }
            return
        }
        guard arguments.count == 2, let name = arguments.first, let operation = MicroOperation.named(name),
            let times = arguments.last.flatMap({ Int($0) }), times >= 0
        else {
            fail("usage: micro [OPERATION TIMES]", 64)
        }
        do throws(WrongResult) {
            try operation.prepare().run(times)
        } catch {
            fail("\(name): \(error)", 1)
        }
    }

    private static func fail(_ message: String, _ status: CInt) -> Never {
        let line = Array("micro: \(message)\n".utf8)
        _ = write(2, line, line.count)
        exit(status)
    }
}
