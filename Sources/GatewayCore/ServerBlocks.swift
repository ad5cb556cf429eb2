import ByteBuffers
import DistributedTracing
import HTTPMessage

/// Of each route, what the span of its first request that went well says of method, route, protocol and status: most later
/// ones say the same, for which that is one copy.
struct ServerBlocks: ~Copyable {
    private struct Entry: BitwiseCopyable {
        /// The method, version, scheme and status together; 0 for none.
        var key: UInt32 = 0
        var range = ByteRange()
    }

    private var generation = 0
    private var entries = PlainList<Entry>()
    private var bytes = ByteBuffer()

    /// The routes that are remembered, which bounds the memory.
    private static let mostRoutes = 1_024

    init() {}

    /// Adds the name and the attributes of a request with a method that has a name, by this route of `snapshot`.
    ///
    /// - Returns: Whether it has; not where the route's first request was another one.
    mutating func add(
        _ route: Int, _ method: Method, _ version: HTTPVersion, isSecure: Bool, status: UInt16,
        of snapshot: WorkerSnapshot,
        to writer: inout SpanWriter
    ) -> Bool {
        guard route < Self.mostRoutes else { return false }
        if generation != snapshot.generation {
            generation = snapshot.generation
            entries.removeAll()
            bytes.removeAll()
        }
        while entries.count <= route { entries.append(Entry()) }
        let key =
            UInt32(method.rawValue) << 16 | UInt32(version.rawValue) << 12 | (isSecure ? 0x800 : 0) | UInt32(status)
            & 0x7FF
        if entries[route].key == 0 {
            let block = SpanWriter.attributes { writer in
                snapshot.spanBlocks.addServer(method, snapshot.routePaths[route], to: &writer)
                snapshot.spanBlocks.addRoute(route, to: &writer)
                snapshot.spanBlocks.addProtocol(version, isSecure: isSecure, to: &writer)
                snapshot.spanBlocks.addStatus(status, to: &writer)
            }
            entries[route] = Entry(key: key, range: ByteRange(start: bytes.count, count: block.count))
            bytes.append(block)
        }
        guard entries[route].key == key else { return false }
        let block = bytes.span(entries[route].range)
        writer.add(madeBefore: block)
        return true
    }
}
