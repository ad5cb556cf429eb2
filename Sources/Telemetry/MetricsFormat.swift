/// The two text formats in which metrics are served.
package enum MetricsFormat: Equatable, Sendable {
    /// Prometheus' own, version 0.0.4.
    case prometheus
    /// OpenMetrics 1.0: the only one with exemplars.
    case openMetrics

    /// The media type, as `Content-Type` has it. Prometheus 3 does not read an answer whose type it does not know.
    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format for a request with this `Accept` (RFC 9110 §12.5.1): OpenMetrics where it is named, in the version that
    /// is spoken here, and not liked less than text; else the format that everybody reads.
    package init(accepting accept: String) {
        var open = 0
        var text = 0
        for element in accept.split(separator: ",") {
            let words = element.split(separator: ";", omittingEmptySubsequences: false).map { Self.trimmed($0) }
            var quality = 1000
            var version: String?
            for word in words.dropFirst() {
                let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { continue }
                switch Self.trimmed(parts[0]) {
                case "q": quality = Self.thousandths(Self.trimmed(parts[1]))
                case "version": version = Self.trimmed(parts[1])
                default: continue
                }
            }
            switch words.first {
            case "application/openmetrics-text" where version == nil || version == "1.0.0": open = max(open, quality)
            case "text/plain": text = max(text, quality)
            default: continue
            }
        }
        self = open > 0 && open >= text ? .openMetrics : .prometheus
    }

    private static func trimmed(_ text: Substring) -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\"" }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text.lowercased()
    }

    /// A weight in thousandths (RFC 9110 §12.4.2); one that is none counts as refusal.
    private static func thousandths(_ text: String) -> Int {
        let digits = text.utf8.filter { $0 != UInt8(ascii: ".") }
        guard let first = digits.first, digits.allSatisfy({ $0 >= 48 && $0 <= 57 }), digits.count <= 4 else { return 0 }
        if first >= UInt8(ascii: "1") { return 1000 }
        var sum = 0
        for place in 1..<4 { sum = sum * 10 + (place < digits.count ? Int(digits[place] - 48) : 0) }
        return sum
    }
}
