import FuzzTargets

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The target that the environment names; without it there is nothing to do.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) }
    if let target = name.flatMap(FuzzTarget.named) { return target }
    print("FUZZ_TARGET is none of: " + FuzzTarget.all.map(\.name).joined(separator: " "))
    exit(64)
}()

/// What libFuzzer calls for each input (the program's `main` is libFuzzer's). A property that does not hold ends the
/// program, which is what libFuzzer takes for a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzerTestOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    do {
        try target.run(input)
    } catch {
        fatalError("\(target.name): \(error)")
    }
    return 0
}
