import JSON

/// What a view looks like where it is not an object with a member for each part: a JSON value whose strings are filled in.
struct OutputTemplate: Sendable {
    let template: Template
    /// What becomes of the whole answer that each of the template's pointers leads into.
    let shapes: [Shape?]
    /// Whether it is an object, which can have a member more.
    let isObject: Bool
}
