import Foundation

/// Points in time as text: UTC, whole seconds, `2025-03-31T08:00:00Z`. They sort as they are written.
enum Timestamp {
    static func text(_ date: Date) -> String {
        date.formatted(.iso8601)
    }

    /// True for a day of the calendar, `2025-02-28`, and false for 30 February.
    static func isDate(_ text: String) -> Bool {
        let style = Date.ISO8601FormatStyle().year().month().day()
        guard let date = try? style.parse(text) else { return false }
        return style.format(date) == text
    }
}
