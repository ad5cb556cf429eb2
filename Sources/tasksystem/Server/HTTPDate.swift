import Foundation

/// The one form of a date that HTTP senders may write: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
enum HTTPDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func text(_ date: Date) -> String {
        // `2025-03-31T08:00:00Z`: digits at fixed places, whatever the locale.
        let iso = Timestamp.text(date)
        let fields = iso.split { "-T:Z".contains($0) }.map(String.init)
        guard fields.count == 6, let month = Int(fields[1]), months.indices.contains(month - 1) else { return iso }
        let days = Int((date.timeIntervalSince1970 / 86400).rounded(.down))
        // 1 January 1970 was a Thursday.
        let weekday = weekdays[((days + 4) % 7 + 7) % 7]
        return "\(weekday), \(fields[2]) \(months[month - 1]) \(fields[0]) \(fields[3]):\(fields[4]):\(fields[5]) GMT"
    }
}
