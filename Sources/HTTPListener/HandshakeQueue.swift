/// The connections of a server whose handshakes are in progress, the oldest first.
struct HandshakeQueue {
    private var waiting: [Connection?] = []
    private var head = 0
    /// The number that the first place of `waiting` has.
    private var base = 0
    /// How many there are.
    private(set) var count = 0

    /// Adds a connection and returns its number.
    mutating func add(_ connection: Connection) -> Int {
        waiting.append(connection)
        count += 1
        return base + waiting.count - 1
    }

    /// Takes the connection with this number out.
    mutating func remove(_ number: Int) {
        let place = number - base
        guard waiting.indices.contains(place), waiting[place] != nil else { return }
        waiting[place] = nil
        count -= 1
        while head < waiting.count, waiting[head] == nil { head += 1 }
        if head * 2 >= waiting.count {
            waiting.removeFirst(head)
            base += head
            head = 0
        }
    }

    /// The one that has been at it the longest.
    var oldest: Connection? { head < waiting.count ? waiting[head] : nil }
}
