import Foundation
import Glibc

/// Counts the allocations of a program from outside: an allocator that is loaded before the C library's adds each of them
/// to a number that the program and the test share.
final class AllocationCounter {
    /// What a program is started with so that it counts.
    let environment: [String: String]
    private let number: UnsafeMutablePointer<UInt64>
    private static let pageSize = 4_096

    /// A C compiler, which the Swift toolchain brings along.
    static let compiler: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for name in ["clang", "cc", "gcc"] {
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }()

    /// Compiles the allocator into `folder`.
    init(in folder: TemporaryFolder) throws {
        guard let compiler = Self.compiler else { throw ExchangeFailure("no C compiler") }
        try folder.write("count.c", Self.source)
        let compilation = try RunningProcess(
            compiler, ["-shared", "-fPIC", "-O1", "-o", folder.file("count.so"), folder.file("count.c")])
        guard try compilation.end() == 0 else {
            throw ExchangeFailure("the allocator is not compiled", transcript: compilation.transcript)
        }
        let file = open(folder.file("count"), O_RDWR | O_CREAT, 0o600)
        guard file >= 0, ftruncate(file, off_t(Self.pageSize)) == 0 else {
            throw ExchangeFailure("no file to count in")
        }
        defer { close(file) }
        guard let page = mmap(nil, Self.pageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), page != MAP_FAILED
        else {
            throw ExchangeFailure("no memory to count in")
        }
        // SAFETY: a page is aligned and large enough for one number, and stays mapped until deinit.
        number = page.bindMemory(to: UInt64.self, capacity: 1)
        environment = ["LD_PRELOAD": folder.file("count.so"), "ALLOCATION_COUNT": folder.file("count")]
    }

    deinit { munmap(number, Self.pageSize) }

    /// The allocations so far, of all threads.
    var count: UInt64 { number.pointee }

    private static let source = """
        #include <fcntl.h>
        #include <stddef.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <unistd.h>
        extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
        extern void *__libc_memalign(size_t, size_t);
        static unsigned long before, *count = &before;
        __attribute__((constructor)) static void share(void) {
          const char *path = getenv("ALLOCATION_COUNT");
          int file = path ? open(path, O_RDWR) : -1;
          if (file < 0) return;
          void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
          close(file);
          if (page != MAP_FAILED) count = page;
        }
        static void add(void) { __atomic_fetch_add(count, 1, __ATOMIC_RELAXED); }
        void *malloc(size_t size) { add(); return __libc_malloc(size); }
        void *calloc(size_t number, size_t size) { add(); return __libc_calloc(number, size); }
        void *realloc(void *old, size_t size) { add(); return __libc_realloc(old, size); }
        void *memalign(size_t alignment, size_t size) { add(); return __libc_memalign(alignment, size); }
        void *aligned_alloc(size_t alignment, size_t size) { add(); return __libc_memalign(alignment, size); }
        int posix_memalign(void **result, size_t alignment, size_t size) {
          add();
          *result = __libc_memalign(alignment, size);
          return *result ? 0 : 12;
        }
        """
}
