/// Of many things that wait, the few that have waited longest.
///
/// A server at its bound of connections looks through all of them; taking several each time spreads what that costs over
/// as many newcomers.
struct LongestWaiting<Element> {
    private var chosen: [(since: UInt64, element: Element)] = []
    private let most: Int

    /// Keeps at most `most`, at least one.
    init(most: Int) { self.most = max(most, 1) }

    /// Looks at one more, which waits since the time `since`.
    mutating func offer(_ element: Element, since: UInt64) {
        if chosen.count == most {
            guard let last = chosen.last, since < last.since else { return }
            chosen.removeLast()
        }
        var place = chosen.count
        while place > 0, chosen[place - 1].since > since { place -= 1 }
        chosen.insert((since, element), at: place)
    }

    /// Those that have waited longest, the longest first.
    var elements: [Element] { chosen.map(\.element) }
}
