/// Small numbers for names, which stay the same as long as the process lives: figures survive that a configuration is
/// read again.
package struct MetricNames: Sendable {
    private var names = [""]
    private var numbers: [String: UInt16] = ["": 0]

    /// The number of what has no name: 0.
    package static let none: UInt16 = 0
    /// The number of whatever comes when all numbers are taken.
    static let other = UInt16.max

    /// No names yet.
    package init() {}

    /// The number of `name`.
    package mutating func number(of name: String) -> UInt16 {
        if let number = numbers[name] { return number }
        guard names.count < Int(Self.other) else { return Self.other }
        let number = UInt16(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    /// The name with this number.
    package subscript(number: UInt16) -> String {
        Int(number) < names.count ? names[Int(number)] : "_OTHER"
    }
}
