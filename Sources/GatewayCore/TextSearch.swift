/// Looks for a text in bytes that come piece by piece, and keeps none of them (Knuth, Morris, Pratt).
struct TextSearch {
    private let text: [UInt8]
    /// After so many bytes that fit: how many of them still fit where the next one does not.
    private let fallbacks: [Int]
    private var matched = 0

    /// A search for `text`; an empty one is found at once.
    init(_ text: [UInt8]) {
        self.text = text
        var fallbacks = [Int](repeating: 0, count: text.count)
        var length = 0
        for index in text.indices.dropFirst() {
            while length > 0, text[index] != text[length] { length = fallbacks[length - 1] }
            if text[index] == text[length] { length += 1 }
            fallbacks[index] = length
        }
        self.fallbacks = fallbacks
    }

    /// Whether the text was there.
    var isFound: Bool { matched == text.count }

    /// Begins anew.
    mutating func reset() { matched = 0 }

    /// Looks through the next piece; it stays found.
    mutating func take(_ bytes: borrowing Span<UInt8>) {
        for index in 0..<bytes.count {
            if isFound { return }
            let byte = bytes[index]
            while matched > 0, text[matched] != byte { matched = fallbacks[matched - 1] }
            if text[matched] == byte { matched += 1 }
        }
    }
}
