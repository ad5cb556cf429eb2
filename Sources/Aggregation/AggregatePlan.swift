import ByteBuffers
import JSON

/// A view, compiled: what is asked of whom, what waits for what, and how the answers are put together. Immutable.
package final class AggregatePlan: Sendable {
    /// One call of the plan.
    package final class Part: Sendable {
        package let name: String
        /// The caller's number for whom the part is asked of.
        package let target: Int
        package let method: String
        /// The template of the path, as configured.
        package let path: String
        /// Whether it changes something, and so runs alone.
        package let isStep: Bool
        package let isOptional: Bool
        /// In milliseconds, retries included.
        package let timeout: UInt64
        /// Whether the request has a body.
        package var hasBody: Bool { bodyTemplate != nil }
        /// Whether the path holds something that the client sent.
        package var pathHoldsInput: Bool { pathTemplate.usesInputs }
        /// Whether the client has a part in what the request asks for, so that a refusal may be meant for it.
        var requestHoldsInput: Bool {
            pathHoldsInput || bodyTemplate?.usesBody == true || isStep && bodyTemplate?.usesInputs == true
        }

        let pathTemplate: Template
        let headerTemplates: [(name: [UInt8], value: Template)]
        let bodyTemplate: Template?
        /// The parts whose answers the templates need, one bit each.
        let dependencies: UInt64
        /// The parts that have to be settled before it starts, whatever became of them, one bit each.
        let predecessors: UInt64
        /// How deep the answer is looked into by `pick`, `members` and the templates of other parts.
        let indexedDepth: Int
        let pick: CompiledPointer
        /// How many values it is asked for; nil where it is asked once.
        let fanOut: FanOut?
        /// What becomes of its value in the view, or of each of its values; nil where it passes as it is.
        let shape: Shape?
        /// Whether it replaces something of the base, which stays where it has no answer.
        package let replaces: Bool
        /// Whether the members of the value become members of the view.
        let isMerged: Bool
        /// The part whose value it is put into; nil where it is a member of the view.
        let host: Int?
        /// The name and colon of the view's member.
        let label: [UInt8]
        /// The JSON text of the default value.
        let defaultText: [UInt8]
        /// The members of a default value that is an object, for a part that is merged.
        let defaultMembers: [(label: [UInt8], text: [UInt8])]
        /// The name as an item of a structured field.
        let fieldItem: [UInt8]

        init(_ draft: PartDraft, shape: Shape?, indexedDepth: Int) {
            let definition = draft.definition
            name = definition.name
            target = definition.target
            method = definition.method
            path = definition.path
            isStep = definition.isStep
            isOptional = definition.isOptional
            timeout = definition.timeout
            pathTemplate = draft.path
            headerTemplates = draft.headers
            bodyTemplate = draft.body
            dependencies = draft.dependencies
            predecessors = draft.predecessors
            self.indexedDepth = indexedDepth
            pick = CompiledPointer(definition.pick)
            fanOut = draft.fanOut
            self.shape = shape
            host = draft.host
            replaces = definition.replaces != nil
            isMerged = definition.isMerged
            defaultMembers = Self.members(of: definition.defaultValue)
            var buffer = ByteBuffer()
            buffer.appendJSONString(definition.name)
            buffer.append(UInt8(ascii: ":"))
            label = Array(buffer.text.utf8)
            buffer.removeAll()
            buffer.appendJSON(definition.defaultValue)
            defaultText = Array(buffer.text.utf8)
            fieldItem = StructuredItem.bytes(for: definition.name)
        }

        /// Whether it asks by a path alone.
        fileprivate var isPlain: Bool { method == "GET" && headerTemplates.isEmpty && bodyTemplate == nil }

        private static func members(of value: JSONValue) -> [(label: [UInt8], text: [UInt8])] {
            guard case .object(let members) = value else { return [] }
            return members.map { member in
                var label = ByteBuffer()
                label.appendJSONString(member.name)
                label.append(":")
                var text = ByteBuffer()
                text.appendJSON(member.value)
                return (Array(label.text.utf8), Array(text.text.utf8))
            }
        }
    }

    /// Whether the first part is the base.
    package let hasBase: Bool
    /// Whether the view is asked for to change something.
    package let isWrite: Bool
    /// The part that replaces the whole base; nil for none.
    let successor: Int?
    /// What the view looks like; nil for an object with a member for each part.
    let output: OutputTemplate?
    let conflicts: AggregateDefinition.Conflicts
    /// Whether members of several parts become members of the view, where names can meet.
    let isMixed: Bool
    /// The parts in file order.
    package let parts: [Part]
    /// For the whole view, in milliseconds.
    package let timeout: UInt64
    package let namesErrors: Bool
    /// What of the client's request the templates need.
    package let inputs: TemplateInputTable
    /// The numbers of the parts by the step in which they start at the earliest.
    package let stages: [[Int]]
    /// The chain of parts that bounds the latency of the view.
    package let longestChain: [Int]
    /// How deep the templates look into the body of the request; nil where none refers to it.
    let bodyDepth: Int?
    /// Whether the view needs the body of the request.
    package var readsBody: Bool { bodyDepth != nil }
    /// Whether the view depends on who asks.
    package let usesUser: Bool

    /// The most parts of a view.
    package static let maximumParts = 64

    /// Compiles `definition`, or says everything that is wrong with it.
    package init(_ definition: AggregateDefinition) throws(AggregateRejection) {
        var compiler = AggregateCompiler(definition)
        let compiled = compiler.compile()
        guard compiler.issues.isEmpty else { throw AggregateRejection(issues: compiler.issues) }
        let graph = PartGraph(dependencies: compiled.map { $0.dependencies | $0.predecessors })
        parts = compiled
        hasBase = definition.hasBase
        isWrite = definition.isWrite
        successor = definition.parts.firstIndex { $0.replaces?.isEmpty == true }
        output = compiler.output
        conflicts = definition.conflicts
        isMixed = compiled.contains { $0.isMerged }
        timeout = definition.timeout
        namesErrors = definition.namesErrors
        inputs = compiler.scope.inputs
        usesUser = compiler.scope.usesUser
        bodyDepth = compiler.scope.bodyDepth
        stages = graph.stages()
        longestChain = graph.longestChain()
    }

    /// Whether the view is the base's own answer, as it is, where of the other parts those in `served` are not asked: nothing
    /// is added to it and nothing taken away.
    package func isBaseItself(served: UInt64) -> Bool {
        guard hasBase, output == nil, !readsBody, let base = parts.first, base.isPlain else { return false }
        return parts.indices.dropFirst().allSatisfy { parts[$0].replaces && served & 1 << UInt64($0) != 0 }
    }

    /// The numbers of the parts that `part` waits for: whose answers it needs, or which have to be over before and are not
    /// waited for by another one of these.
    package func waits(of part: Int) -> [Int] {
        let before = parts[part].predecessors
        let earlier = numbers(in: before).reduce(0) { $0 | parts[$1].predecessors }
        return numbers(in: parts[part].dependencies | before & ~earlier)
    }

    private func numbers(in mask: UInt64) -> [Int] { parts.indices.filter { mask & 1 << UInt64($0) != 0 } }
}
