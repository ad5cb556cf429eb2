import ByteBuffers
import Foundation
import Testing

@testable import FeatureFlags

/// The allocations of the calling thread, as counted by an allocator that is loaded before the C library's.
///
/// The tests that count cannot load it into their own process, which is running already: `runsTheCounts` compiles it and
/// runs them in a second process with it.
private enum AllocationCount {
    /// Reads the count; nil in a process without the counting allocator.
    static let current: (@convention(c) () -> UInt)? = {
        guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "allocations_of_this_thread") else { return nil }
        // SAFETY: the symbol is the function of that name below, or there is none.
        return unsafeBitCast(symbol, to: (@convention(c) () -> UInt).self)
    }()

    static let source = """
        #include <stddef.h>
        extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
        extern void *__libc_memalign(size_t, size_t);
        static __thread unsigned long count __attribute__((tls_model("initial-exec")));
        unsigned long allocations_of_this_thread(void) { return count; }
        void *malloc(size_t size) { count++; return __libc_malloc(size); }
        void *calloc(size_t number, size_t size) { count++; return __libc_calloc(number, size); }
        void *realloc(void *old, size_t size) { count++; return __libc_realloc(old, size); }
        void *memalign(size_t alignment, size_t size) { count++; return __libc_memalign(alignment, size); }
        void *aligned_alloc(size_t alignment, size_t size) { count++; return __libc_memalign(alignment, size); }
        int posix_memalign(void **result, size_t alignment, size_t size) {
          count++;
          *result = __libc_memalign(alignment, size);
          return *result ? 0 : 12;
        }
        """

    /// A C compiler, which the Swift toolchain brings along; nil where none is found, or where the process has another
    /// allocator already (AddressSanitizer).
    static let compiler: String? = {
        if dlsym(dlopen(nil, RTLD_NOW), "__asan_init") != nil { return nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for name in ["clang", "cc", "gcc"] {
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }()
}

/// The usual rules are evaluated without allocating, once the evaluator's memory has grown.
@Suite struct AllocationTests {
    private static let file = FlagFile(
        #"""
        {
          "$evaluators": { "is_staff": { "in": [{ "var": "headers.x-role" }, ["staff", "developer"]] } },
          "flags": {
            "static": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
            "ramp": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
              "targeting": { "if": [{ "$ref": "is_staff" }, "on", { "fractional": [["on", 5], ["off", 95]] }] } },
            "by-key": { "state": "ENABLED", "variants": { "new": "service", "old": "monolith" }, "defaultVariant": "old",
              "targeting": { "fractional": [{ "cat": [{ "var": "$flagd.flagKey" }, { "var": "targetingKey" }] }, ["new", 5], ["old", 95]] } },
            "logic": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
              "targeting": { "if": [
                { "and": [{ "!": [{ "var": "headers.x-none" }] }, { "or": [{ "==": [{ "var": "user" }, "bob"] }, { "starts_with": [{ "var": "path" }, "/tasks/"] }] },
                  { "!==": [{ "var": "method" }, "POST"] }, { ">=": [{ "var": "$flagd.timestamp" }, 1700000000] },
                  { "sem_ver": [{ "var": "headers.x-version" }, ">=", "1.4.0"] }, { "ends_with": [{ "var": "host" }, ".example.com"] },
                  { "in": ["beta", { "var": "query.features" }] }, { "<": [{ "var": "query.n" }, 10] }] }, "on", "off"] } },
            "lists": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
              "targeting": { "if": [{ "some": [["a", "ann"], { "==": [{ "var": "" }, "ann"] }] }, { "if": [{ "missing": ["user", "host"] }, "off", "on"] }] } }
          }
        }
        """#)

    @Test(
        .enabled(if: AllocationCount.current != nil, "run by runsTheCounts"),
        arguments: ["static", "ramp", "by-key", "logic", "lists"])
    func allocatesNothing(flag: String) throws {
        let count = try #require(AllocationCount.current)
        let snapshot = Self.file.snapshot
        let number = try #require(snapshot.flagID(named: flag))
        let context = FixedContext()
        var evaluator = FlagEvaluator()
        for _ in 0..<10 { _ = evaluator.evaluate(number, in: snapshot, for: context, now: 1_800_000_000) }
        var reached = 0
        let rounds = 1000
        let before = count()
        for _ in 0..<rounds {
            let result = evaluator.evaluate(number, in: snapshot, for: context, now: 1_800_000_000)
            if result.variant != nil { reached += 1 }
        }
        let allocations = count() - before
        #expect(reached == rounds)
        #expect(allocations == 0)
    }

    /// The count sees allocations where there are some.
    @Test(.enabled(if: AllocationCount.current != nil, "run by runsTheCounts"))
    func countsAllocations() throws {
        let count = try #require(AllocationCount.current)
        let context = FixedContext()
        var evaluator = FlagEvaluator()
        let snapshot = Self.file.snapshot
        let before = count()
        for _ in 0..<10 { _ = evaluator.explain(1, in: snapshot, for: context, now: 0) }
        #expect(count() - before >= 10)
    }

    @Test(
        .enabled(if: AllocationCount.current == nil, "this is the process that counts"),
        .enabled(if: AllocationCount.compiler != nil, "needs a C compiler, and no other allocator"))
    func runsTheCounts() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("allocations-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = folder.appendingPathComponent("count.c")
        let library = folder.appendingPathComponent("count.so")
        try AllocationCount.source.write(to: source, atomically: true, encoding: .utf8)
        let compiler = try #require(AllocationCount.compiler)
        let compilation = try run(compiler, ["-shared", "-fPIC", "-O1", "-o", library.path, source.path])
        try #require(compilation.status == 0, "\(compilation.output)")

        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let counts = try run(
            tests, ["--testing-library", "swift-testing", "--filter", "FeatureFlagsTests.AllocationTests"],
            environment: ["LD_PRELOAD": library.path])
        #expect(counts.status == 0, "\(counts.output)")
        #expect(counts.output.contains("allocatesNothing(flag:) with 5 test cases passed"), "\(counts.output)")
        #expect(counts.output.contains("countsAllocations() passed"), "\(counts.output)")
    }

    private func run(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }
}

/// Attributes as literals, which cost nothing to copy.
private final class FixedContext: EvaluationContext {
    override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
        switch attribute.kind {
        case .targetingKey, .user: scratch.append("ann")
        case .method: scratch.append("GET")
        case .path: scratch.append("/tasks/42/details")
        case .host: scratch.append("api.example.com")
        case .header:
            guard attribute.name.equals("x-version") else { return false }
            scratch.append("1.12.0")
        case .query:
            if attribute.name.equals("features") { scratch.append("alpha,beta") } else { scratch.append("7") }
        default: return false
        }
        return true
    }
}
