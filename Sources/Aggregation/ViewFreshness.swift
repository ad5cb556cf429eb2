import ByteBuffers

/// For how long, and by whom, a view may be kept: the strictest of what its parts say (RFC 9111 §5.2.2).
struct ViewFreshness: Equatable {
    /// The shortest of the times of several answers.
    private struct Lifetime: Equatable {
        private var shortest: UInt32?
        private var hasUnknown = false

        mutating func add(_ seconds: UInt32?) {
            if let seconds { shortest = min(shortest ?? .max, seconds) } else { hasUnknown = true }
        }

        /// Seconds; nil where no answer has said anything. A cache that knows nothing may guess (§4.2.2), but not beyond
        /// what another part has said: where only some speak, the others count as stale at once.
        var seconds: UInt32? { shortest.map { hasUnknown ? 0 : $0 } }
    }

    private var directives: Freshness.Directives = []
    private var isPublic = true
    private var isForAnyCredentials = true
    private var own = Lifetime()
    private var shared = Lifetime()

    /// What holds for a view before its first part.
    init() {}

    /// Takes in what a part says.
    mutating func restrict(to part: Freshness) {
        directives.formUnion(part.directives)
        isPublic = isPublic && part.isPublic
        isForAnyCredentials = isForAnyCredentials && part.allowsCredentials
        own.add(part.remaining)
        // One shared time in any part makes the times of the others matter to shared caches as well.
        shared.add(part.sharedRemaining)
    }

    mutating func makePrivate() {
        directives.insert(.isPrivate)
    }

    /// The request had credentials: a shared cache may keep the answer only if every part says so (§3.5). What one of them
    /// says, such as `must-revalidate`, would stand for all in the view.
    mutating func restrictToCredentials() {
        if !isForAnyCredentials { makePrivate() }
    }

    mutating func forbidStoring() {
        directives.insert(.noStore)
    }

    /// Appends the value of a `Cache-Control` field; nothing where there is nothing to say.
    func append(to output: inout ByteBuffer) {
        if directives.contains(.noStore) {
            output.append("no-store")
            return
        }
        let start = output.count
        func separate(_ output: inout ByteBuffer) { if output.count > start { output.append(", ") } }
        func append(_ directive: Freshness.Directives, _ name: StaticString, _ output: inout ByteBuffer) {
            guard directives.contains(directive) else { return }
            separate(&output)
            output.append(name)
        }
        append(.isPrivate, "private", &output)
        if isPublic, !directives.contains(.isPrivate) {
            separate(&output)
            output.append("public")
        }
        append(.noCache, "no-cache", &output)
        if let seconds = own.seconds {
            separate(&output)
            output.append("max-age=")
            output.appendDecimal(seconds)
        }
        if let seconds = shared.seconds, seconds != own.seconds, !directives.contains(.isPrivate) {
            separate(&output)
            output.append("s-maxage=")
            output.appendDecimal(seconds)
        }
        append(.mustRevalidate, "must-revalidate", &output)
        append(.proxyRevalidate, "proxy-revalidate", &output)
        append(.noTransform, "no-transform", &output)
    }
}
