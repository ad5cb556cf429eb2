import Foundation

/// An answer of the collector.
struct CollectorAnswer: Equatable, Sendable {
    var status: Int
    /// The value of `Retry-After`.
    var retryAfter: String?
    var body: [UInt8] = []
}

/// What becomes of a batch after an attempt (OTLP/HTTP §Failures, §Throttling, §Partial Success).
enum CollectorVerdict: Equatable, Sendable {
    /// It is there, all but `rejected` spans of it.
    case taken(rejected: Int, message: String)
    /// Try again, not before `after` if the collector says so.
    case later(String, after: Duration?)
    /// The same would be refused again.
    case refused(String)

    /// The longest pause that a collector may ask for.
    static let longestPause = Duration.seconds(30)

    init(_ answer: CollectorAnswer) {
        switch answer.status {
        case 200..<300:
            let partial = try? JSONDecoder().decode(PartialSuccess.self, from: Data(answer.body)).partialSuccess
            self = .taken(rejected: partial?.rejectedSpans ?? 0, message: Self.printable(partial?.errorMessage ?? ""))
        case 429, 502, 503, 504:
            // A date is not read: the usual pauses do as well.
            let seconds = answer.retryAfter.flatMap { UInt32($0.trimmingCharacters(in: .whitespaces)) }
            self = .later(
                "it answers \(answer.status)", after: seconds.map { min(.seconds(Int64($0)), Self.longestPause) })
        default:
            self = .refused("it answers \(answer.status)")
        }
    }

    /// What a collector writes must not be able to move the cursor, begin a new line, or fill the log.
    private static func printable(_ text: String) -> String {
        String(text.unicodeScalars.prefix(200).map { (0x20..<0x7F).contains($0.value) ? Character($0) : "?" })
    }

    private struct PartialSuccess: Decodable {
        var partialSuccess: Details?

        struct Details: Decodable {
            var rejectedSpans: Int
            var errorMessage: String

            enum CodingKeys: CodingKey {
                case rejectedSpans, errorMessage
            }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                // A 64-bit number, so it comes as text; as a number it is understood, too.
                let text = try? container.decode(String.self, forKey: .rejectedSpans)
                let number = try? container.decode(Int.self, forKey: .rejectedSpans)
                rejectedSpans = max(0, number ?? text.flatMap { Int($0) } ?? 0)
                errorMessage = (try? container.decode(String.self, forKey: .errorMessage)) ?? ""
            }
        }
    }
}
