import ByteBuffers
import JSON

/// Decides which members of an object stay where names can meet that nobody knew beforehand. An object is gone through
/// twice: first its names enter in their order, then the members are written that have won.
struct NameContest: ~Copyable {
    /// Whether two members had one name and that must not be.
    private(set) var hasFailed = false
    private var names: FanOutValues
    /// Whether the member of that number stays; objects within objects stand behind theirs.
    private var stays = PlainList<Bool>()
    private var text = ByteBuffer()
    private var conflicts = AggregateDefinition.Conflicts.first

    init(seed: UInt64) { names = FanOutValues(seed: seed) }

    /// Begins a view.
    mutating func reset(_ conflicts: AggregateDefinition.Conflicts) {
        hasFailed = false
        self.conflicts = conflicts
        stays.removeAll(keeping: 4096)
    }

    /// Begins an object; returns the number of its first member.
    mutating func begin() -> Int {
        names.removeAll()
        return stays.count
    }

    /// Ends the object whose first member has this number.
    mutating func end(_ first: Int) { stays.truncate(to: first) }

    /// Keeps a name for a member that is written elsewhere: in this object, others of that name do not stay.
    mutating func reserve(_ name: StaticString) {
        text.removeAll(keeping: 4096)
        text.append(name)
        names[Self.add(text, to: &names)].call = -1
    }

    /// Enters a member by its name with quotes, as it stands in a text.
    mutating func enter(_ quoted: borrowing Span<UInt8>) {
        text.removeAll(keeping: 4096)
        text.appendDecodedJSONString(quoted)
        let number = stays.count
        let known = names.count
        let index = Self.add(text, to: &names)
        if index == known {
            names[index].call = number
            stays.append(true)
            return
        }
        if names[index].call < 0 {
            stays.append(false)
            return
        }
        switch conflicts {
        case .first: stays.append(false)
        case .last:
            stays[names[index].call] = false
            names[index].call = number
            stays.append(true)
        case .error:
            hasFailed = true
            stays.append(false)
        }
    }

    /// Whether the member of this number stays.
    func keeps(_ number: Int) -> Bool { stays[number] }

    private static func add(_ text: borrowing ByteBuffer, to names: inout FanOutValues) -> Int {
        names.add(text.span, isString: true, from: 0)
    }
}
