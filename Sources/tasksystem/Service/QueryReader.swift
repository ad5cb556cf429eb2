import Foundation
import NIOHTTP1

/// Reads query parameters and gathers what is wrong with them. Parameters that nobody asks for are left alone: a proxy
/// or a tracing tool may have added them.
struct QueryReader {
    let query: QueryParameters
    private(set) var errors: [FieldError] = []

    init(_ query: QueryParameters) {
        self.query = query
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64> = 1...Int64.max) -> Int64? {
        guard let text = query[name] else { return nil }
        if let number = Int64(text), range.contains(number) {
            return number
        }
        let limit =
            range.upperBound == .max
            ? "a number from \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        return fail(name, "must be \(limit)")
    }

    mutating func boolean(_ name: String) -> Bool? {
        switch query[name] {
        case nil: nil
        case "true": true
        case "false": false
        default: fail(name, "must be true or false")
        }
    }

    /// One of an enumeration's words.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, of: Choice.Type) -> Choice? {
        guard let text = query[name] else { return nil }
        return Choice(rawValue: text) ?? fail(name, "must be one of " + wordList(Choice.self))
    }

    /// `?ids=1,2`: at most 100 different numbers.
    mutating func identifiers(_ name: String) -> [Int64]? {
        guard let text = query[name] else { return nil }
        var seen: [Int64] = []
        for part in text.split(separator: ",") {
            guard let number = Int64(part), number > 0 else {
                return fail(name, "must be numbers with commas between them")
            }
            if !seen.contains(number) {
                seen.append(number)
            }
            if seen.count > PageRequest.largestSize {
                return fail(name, "must be at most \(PageRequest.largestSize) numbers")
            }
        }
        return seen
    }

    /// - Throws: ``Problem`` 400 with everything that was wrong.
    func check() throws(Problem) {
        if !errors.isEmpty {
            throw Problem(.badRequest, "The query has \(count(errors.count, "error")).", errors: errors)
        }
    }

    private mutating func fail<Value>(_ name: String, _ message: String) -> Value? {
        errors.append(FieldError(field: name, message: message))
        return nil
    }
}

/// The words of an enumeration, for messages: `open, in_progress, done`.
func wordList<Choice: RawRepresentable<String> & CaseIterable>(_: Choice.Type) -> String {
    Choice.allCases.map(\.rawValue).joined(separator: ", ")
}

/// `1 error`, `2 errors`.
func count(_ number: Int, _ noun: String) -> String {
    number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
}
