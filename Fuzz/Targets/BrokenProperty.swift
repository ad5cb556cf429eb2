/// A property that does not hold for some input: a defect.
package struct BrokenProperty: Error, CustomStringConvertible {
    /// What should hold and does not.
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Throws where `condition` does not hold.
func require(_ condition: Bool, _ property: @autoclosure () -> String) throws(BrokenProperty) {
    if !condition { throw BrokenProperty(property()) }
}

/// Throws where the two are not the same, and shows both.
func requireSame<T: Equatable>(_ one: T, _ other: T, _ property: @autoclosure () -> String) throws(BrokenProperty) {
    if one != other { throw BrokenProperty("\(property()):\n\(one)\n\(other)") }
}

/// Calls `body`, in which nothing but what is given here goes wrong, with what it throws.
func refusing<Failure: Error>(_ body: () throws(Failure) -> Void) -> Failure? {
    do throws(Failure) {
        try body()
        return nil
    } catch {
        return error
    }
}
