/// An operation that does not do what is to be measured.
package struct WrongResult: Error, CustomStringConvertible {
    /// What should be so and is not.
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Throws where `condition` does not hold.
func require(_ condition: Bool, _ what: @autoclosure () -> String) throws(WrongResult) {
    if !condition { throw WrongResult(what()) }
}

/// Throws where something is not as expected, and shows both.
func require<T: Equatable>(_ found: T, is expected: T) throws(WrongResult) {
    if found != expected { throw WrongResult("found\n\(found)\ninstead of\n\(expected)") }
}

/// The value, or an error where there is none.
func unwrap<T>(_ value: T?, _ what: @autoclosure () -> String) throws(WrongResult) -> T {
    guard let value else { throw WrongResult(what()) }
    return value
}
