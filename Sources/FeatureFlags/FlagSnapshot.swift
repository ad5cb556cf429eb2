package import ByteBuffers
package import JSON

/// One flag file, compiled: immutable, and shared by all workers.
///
/// Flags have dense numbers from 0; whoever refers to a flag by name looks its number up once, with `flagID(named:)`.
package final class FlagSnapshot: Sendable {
    /// The flags by number: for the control plane.
    package let definitions: [FlagDefinition]
    /// The metadata of the file, such as `flagSetId` and `version`.
    package let metadata: [JSONMember]
    let program: RuleProgram
    /// By bytes: `String` takes differently written forms of a character for equal.
    private let numbers: [[UInt8]: Int]

    /// What reading a file came to.
    package struct Compilation: Sendable {
        /// Nil when the file is refused; then at least one issue is an error.
        package var snapshot: FlagSnapshot?
        /// In the order of the file.
        package var issues: [FlagIssue]
    }

    private init(definitions: [FlagDefinition], metadata: [JSONMember], program: consuming RuleProgram) {
        self.definitions = definitions
        self.metadata = metadata
        self.program = program
        var numbers: [[UInt8]: Int] = [:]
        for (number, flag) in definitions.enumerated() { numbers[Array(flag.key.utf8)] = number }
        self.numbers = numbers
    }

    /// A snapshot without flags: every evaluation ends in FLAG_NOT_FOUND.
    package convenience init() {
        self.init(definitions: [], metadata: [], program: RuleProgramBuilder().freeze())
    }

    /// The nesting of arrays and objects in a file: what a rule at its own limit of depth needs.
    package static let maximumFileDepth = 2 * RuleCompiler.maximumDepth + 8

    /// Compiles the file `text`.
    package static func compile(_ text: [UInt8]) -> Compilation {
        do throws(JSONSyntaxError) {
            return compile(try JSONDocument(parsing: text, maximumDepth: maximumFileDepth))
        } catch {
            let issue = FlagIssue(
                severity: .error, kind: .structure, pointer: JSONPointer(), position: error.position,
                message: error.message)
            return Compilation(snapshot: nil, issues: [issue])
        }
    }

    /// Compiles the file that `document` holds.
    package static func compile(_ document: borrowing JSONDocument) -> Compilation {
        var reader = FlagFileReader(document.value())
        for duplicate in document.duplicates() {
            reader.issues.hazard(
                duplicate.pointer,
                "this name stands here for the second time (first at \(duplicate.firstPosition)); the last one counts"
            )
        }
        var compiler = RuleCompiler(evaluators: reader.evaluators)
        swap(&compiler.issues, &reader.issues)
        var definitions = reader.flags
        for flag in definitions { compiler.compile(flag, evaluators: reader.evaluators) }
        compiler.checkEvaluators()
        let issues = compiler.issues.issues(in: document)
        if compiler.issues.hasErrors { return Compilation(snapshot: nil, issues: issues) }
        let program = compiler.builder.freeze()
        for number in definitions.indices {
            definitions[number].summary = RuleDescription.summary(of: definitions[number], number: number, program)
        }
        return Compilation(
            snapshot: FlagSnapshot(definitions: definitions, metadata: reader.metadata, program: program),
            issues: issues)
    }

    // MARK: Looking up

    /// The number of flags.
    package var count: Int { definitions.count }

    /// The number of the flag called `name`, or nil.
    package func flagID(named name: String) -> Int? {
        numbers[Array(name.utf8)]
    }

    /// The definition that a result of flag `flag` stands for; nil where the caller's own default holds.
    package func variant(of result: FlagResult, flag: Int) -> FlagVariant? {
        guard definitions.indices.contains(flag), let variant = result.variant,
            definitions[flag].variants.indices.contains(variant)
        else { return nil }
        return definitions[flag].variants[variant]
    }

    // MARK: On the way of a request

    /// Appends the key of flag `flag`; nothing where there is no such flag.
    package func appendKey(of flag: Int, to buffer: inout ByteBuffer) {
        guard flag >= 0, flag < program.flags.count else { return }
        program.append(program.flags[flag].key, to: &buffer)
    }

    /// Appends the name of the variant that `result` of flag `flag` has; false, with nothing appended, where it has
    /// none.
    package func appendVariantName(of result: FlagResult, flag: Int, to buffer: inout ByteBuffer) -> Bool {
        guard let variant = compiledVariant(of: result, flag: flag) else { return false }
        program.append(variant.name, to: &buffer)
        return true
    }

    /// Appends the text of a result whose value is a string; false, with nothing appended, for any other.
    package func appendStringValue(of result: FlagResult, flag: Int, to buffer: inout ByteBuffer) -> Bool {
        guard let variant = compiledVariant(of: result, flag: flag), variant.type == .string else { return false }
        program.append(variant.text, to: &buffer)
        return true
    }

    private func compiledVariant(of result: FlagResult, flag: Int) -> CompiledVariant? {
        guard let variant = result.variant, flag >= 0, flag < program.flags.count, variant >= 0,
            variant < Int(program.flags[flag].variantCount)
        else { return nil }
        return program.variants[Int(program.flags[flag].firstVariant) + variant]
    }
}

extension RuleCompiler {
    /// Compiles `flag` with its variants and its rule.
    fileprivate mutating func compile(_ flag: FlagDefinition, evaluators: [JSONMember]) {
        var firstVariant: UInt32 = 0
        for (index, variant) in flag.variants.enumerated() {
            let number = builder.add(compiled(variant))
            if index == 0 { firstVariant = number }
        }
        var entry = CompiledFlag(
            key: builder.intern(flag.key), isEnabled: flag.state == .enabled, targeting: .absent, root: 0,
            firstVariant: firstVariant, variantCount: UInt32(clamping: flag.variants.count), defaultVariant: -1)
        if let name = flag.defaultVariant,
            let index = flag.variants.firstIndex(where: { $0.name.hasSameBytes(as: name) })
        {
            entry.defaultVariant = Int32(clamping: index)
        }
        if let rule = flag.targeting {
            let pointer = flag.pointer.appending("targeting")
            do {
                entry.root = try compile(rule: rule, at: pointer)
                entry.targeting = .rule
                RuleLint.checkResults(
                    of: rule, at: pointer, variants: flag.variants.map(\.name), evaluators: evaluators, &issues)
            } catch {
                entry.targeting = .tooLarge
                let limit =
                    error == .depth
                    ? "nests deeper than \(Self.maximumDepth) operators" : "has more than \(Self.maximumNodes) values"
                issues.hazard(pointer, "the rule \(limit): it is never run, the flag ends in GENERAL")
            }
        }
        builder.add(entry)
    }

    /// Compiles every evaluator for what there is to say about it: one that no flag uses would be found wrong only
    /// later.
    fileprivate mutating func checkEvaluators() {
        for evaluator in evaluators where evaluator.value.containsLogic {
            // One beyond the limits is reported where it is used.
            _ = try? compile(rule: evaluator.value, at: JSONPointer(["$evaluators", evaluator.name]))
        }
    }

    private mutating func compiled(_ variant: FlagVariant) -> CompiledVariant {
        var result = CompiledVariant(
            name: builder.intern(variant.name), type: FlagValueType(of: variant.value), boolean: false, number: 0,
            text: ByteRange())
        switch variant.value {
        case .bool(let value): result.boolean = value
        case .integer(let value): result.number = Double(value)
        case .real(let value): result.number = value
        case .string(let value): result.text = builder.intern(value)
        case .null, .array, .object: break
        }
        return result
    }
}
