import Testing

/// Waits until `condition` holds; asks again and again, and gives up after a time that only a failure takes.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(30)
    while try await !condition() {
        try #require(ContinuousClock.now < end, what)
        try await Task.sleep(for: .milliseconds(2))
    }
}
