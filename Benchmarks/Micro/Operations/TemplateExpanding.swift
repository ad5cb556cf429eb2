import Aggregation
import ByteBuffers

/// The path of a request, made of its template and of what another request had.
struct TemplateExpanding: Workload, ~Copyable {
    private static let template = "/users/{user}/tasks/{id}?state={query.state}"
    private static let path = "/users/user-20947/tasks/42?state=in%20review"

    private let template: Template
    private let table: TemplateInputTable
    private var inputs = TemplateInputs()
    private var out = ByteBuffer()
    private var scratch = ByteBuffer()

    private let segment = Array("42".utf8)
    private let user = Array("user-20947".utf8)
    private let query = Array("expand=all&state=in+review".utf8)

    var once: UInt64 { UInt64(Self.path.utf8.count) }

    static func make() throws(WrongResult) -> TemplateExpanding {
        var scope = TemplateScope(pathParameters: [.init(name: "id")])
        var errors: [TemplateError] = []
        let compiled = scope.compileTarget(template, errors: &errors)
        return TemplateExpanding(try unwrap(compiled, "the template is refused: \(errors)"), scope.inputs)
    }

    private init(_ template: Template, _ table: TemplateInputTable) {
        self.template = template
        self.table = table
    }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(out.text, is: Self.path)
    }

    mutating func run(_ times: Int) -> UInt64 {
        let (segment, user, query) = (segment, user, query)
        var written: UInt64 = 0
        for _ in 0..<times {
            out.removeAll()
            inputs.prepare(for: table)
            for slot in 0..<table.count {
                switch table.source(slot) {
                case .segment: inputs.setCapture(slot, to: segment.span, isRest: false)
                case .user: inputs.set(slot, to: user.span)
                default: break
                }
            }
            inputs.setQuery(query.span, from: table)
            if template.append(to: &out, inputs: inputs, scratch: &scratch) == nil { written &+= UInt64(out.count) }
        }
        return written
    }
}
