package import JSON

/// A view as the configuration describes it: calls whose answers become the members of one JSON object.
package struct AggregateDefinition: Sendable {
    /// Which members of a part's value go into the view.
    package enum Members: Equatable, Sendable {
        case all
        /// These alone.
        case only([String])
        /// All but these.
        case allBut([String])
    }

    /// A field of the header of a part's request; the value is a template.
    package struct Field: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// One call.
    package struct Part: Sendable {
        /// The member of the view, and what templates of other parts call this one.
        package var name: String
        /// Whom the part is asked of: a number that means something to the caller alone.
        package var target: Int
        package var method = "GET"
        /// Template of the path and query.
        package var path: String
        /// Fields beside those that the caller sets by itself.
        package var headers: [Field] = []
        /// Template of a JSON body; nil for none.
        package var body: JSONValue?
        /// Whether it is a step: it changes something, so that it runs with no other part beside it, in the order of the
        /// file.
        package var isStep = false
        package var isOptional = false
        /// The value of an optional part that failed.
        package var defaultValue = JSONValue.null
        /// In milliseconds, retries included.
        package var timeout: UInt64 = 2000
        /// The place in the answer that is the part's value.
        package var pick = JSONPointer()
        /// Of an object its members; of an array the members of the objects that are its elements. A name that begins
        /// with a slash is a JSON pointer from the part's value on, in which `*` stands for every member or element.
        package var members = Members.all
        /// Members, or ways to them, and the names that they get.
        package var renames: [(member: String, name: String)] = []
        /// Members, or ways to them, that are objects, and whose members take their place.
        package var flattened: [String] = []
        /// Whether the members of the value become members of the view, instead of the value itself.
        package var isMerged = false
        /// For whom it is asked many times; nil where it is asked once.
        package var fanOut: FanOut?
        /// The place in the base's answer that the value replaces, a JSON pointer in which `*` stands for all; empty for
        /// the whole answer. nil where it replaces nothing.
        package var replaces: String?
        /// Where in the answer of another part the value is put, as `task.user` or `tasks.items[*].user`; nil makes it a
        /// member of the view.
        package var into: String?

        package init(name: String, target: Int, path: String) {
            self.name = name
            self.target = target
            self.path = path
        }
    }

    /// What happens where two members of one name meet in an object.
    package enum Conflicts: Sendable {
        /// The first one stays: a member that a service begins to send does not displace another one.
        case first
        /// The last one stays.
        case last
        /// The view fails.
        case error
    }

    /// A part that is asked for many values.
    package struct FanOut: Sendable {
        /// Where the values stand: `tasks.items[*].user_id`.
        package var values: String
        /// Whether one call asks for all of them.
        package var isBatch: Bool
        /// The most values.
        package var limit = 50
        /// The most calls at the same time.
        package var concurrency = 8
        /// Of a batch: where an element of the answer has its value.
        package var key = JSONPointer(["id"])

        package init(values: String, isBatch: Bool) {
            self.values = values
            self.isBatch = isBatch
        }
    }

    /// In the order of the file, which is the order of the members of the view.
    package var parts: [Part]
    /// Whether the first part is the base: the answer that others replace parts of.
    package var hasBase = false
    /// Whether the view is asked for to change something: its answer is nobody's to keep, and says of a failure what was
    /// done before.
    package var isWrite = false
    /// Whether all requests of the route may have a body, so that templates can refer to it.
    package var mayReadBody = false
    /// For the whole view, in milliseconds.
    package var timeout: UInt64 = 5000
    /// What the view looks like, a template; nil for an object with a member for each part.
    package var output: JSONValue?
    /// Which of two members of one name stays, where nobody knew beforehand that they would meet.
    package var conflicts = Conflicts.first
    /// Whether a partial view names the failed parts in a member `_errors`.
    package var namesErrors = false
    /// The parameters of the route's pattern, in the order of their captures.
    package var pathParameters: [TemplateScope.PathParameter] = []

    package init(parts: [Part]) {
        self.parts = parts
    }
}

/// One thing that is wrong with a view.
package struct AggregateIssue: Error, Equatable, Sendable {
    /// The part, or nil for the view as a whole.
    package var part: String?
    /// The key of the part: `path`, `headers`, `body`, `pick`, …; `name` for the part's own name.
    package var key: String
    package var message: String

    package init(part: String?, key: String, message: String) {
        self.part = part
        self.key = key
        self.message = message
    }
}

/// Everything that is wrong with a view.
package struct AggregateRejection: Error, Equatable, Sendable {
    package var issues: [AggregateIssue]
}
