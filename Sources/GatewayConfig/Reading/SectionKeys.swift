/// The keys that an object of the configuration can have.
struct SectionKeys: Sendable {
    /// The keys that are read, in the order of the documentation.
    let known: [String]
    /// Keys of the design that are not built yet: refused as such, never ignored.
    let later: [String]

    init(_ known: [String], later: [String] = []) {
        self.known = known
        self.later = later
    }
}
