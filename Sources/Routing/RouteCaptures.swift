package import ByteBuffers

/// What the parameters of a matched route stand for, and the working memory of matching. Each worker has its own; once it
/// has grown to the depth of the table, matching allocates nothing.
package struct RouteCaptures: ~Copyable {
    /// One segment of the path of the request.
    struct Segment {
        /// Offset of its first byte in the path.
        var start: UInt32
        /// Its length in bytes.
        var count: UInt32
        /// The hash of its bytes, where it is not longer than the longest literal of the table.
        var hash: UInt32
    }

    private var ranges: [ByteRange] = []
    private var segments: [Segment] = []
    /// How many segments of the path were cut out: all, or as many as the table can look at.
    private(set) var segmentCount = 0
    /// How many nodes of the trie the last match visited, the root included.
    var visits = 0
    /// The nodes from the root to where the search stands, each with what was tried there.
    var trail: [UInt32] = []

    /// Nothing captured.
    package init() {}

    /// The number of parameters of the route that matched last; 0 where none did.
    package private(set) var count = 0

    /// Where in the bytes of the head the value of the parameter at `index` stands, as the normalised path has it: not
    /// percent-decoded any further. The index is that of the name in `RoutePattern.parameters`.
    package subscript(index: Int) -> ByteRange { ranges[index] }

    mutating func removeAll() { count = 0 }

    mutating func append(_ range: ByteRange) {
        if count < ranges.count { ranges[count] = range } else { ranges.append(range) }
        count += 1
    }

    /// The segment at `index`, which is below ``segmentCount``.
    func segment(_ index: Int) -> Segment { segments[index] }

    /// Cuts `path`, which begins with a slash, into its first `limit` segments. Segments longer than `longest` get no
    /// hash: no literal is as long.
    mutating func split(_ path: borrowing Span<UInt8>, limit: Int, longest: Int) {
        segmentCount = 0
        if trail.count < limit {
            trail = Array(repeating: 0, count: limit)
            segments = Array(repeating: Segment(start: 0, count: 0, hash: 0), count: limit)
        }
        var index = 1
        while segmentCount < limit {
            let start = index
            var hash = LiteralTable.emptyHash
            let hashed = Swift.min(path.count, start + longest)
            while index < hashed, path[unchecked: index] != UInt8(ascii: "/") {
                hash = LiteralTable.extend(hash, path[unchecked: index])
                index += 1
            }
            while index < path.count, path[unchecked: index] != UInt8(ascii: "/") { index += 1 }
            segments[segmentCount] = Segment(
                start: UInt32(clamping: start), count: UInt32(clamping: index - start), hash: hash)
            segmentCount += 1
            if index >= path.count { return }
            index += 1
        }
    }
}
