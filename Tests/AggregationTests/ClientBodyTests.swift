import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// The client's body in templates.
@Suite struct ClientBodyTests {
    private func definition(_ paths: String..., output: JSONValue? = nil) -> AggregateDefinition {
        var definition = AggregateDefinition(parts: paths.enumerated().map { part("p\($0)", $1) })
        definition.mayReadBody = true
        definition.output = output
        return definition
    }

    @Test func theBodyIsLookedIntoAsDeepAsTemplatesSay() throws {
        #expect(try AggregatePlan(definition("/a")).bodyDepth == nil)
        #expect(try AggregatePlan(definition("/{body}", "/b")).bodyDepth == 0)
        #expect(try AggregatePlan(definition("/{body.a.0.c}", "/{body.b}")).bodyDepth == 3)
        #expect(try AggregatePlan(definition("/a", output: .string("{body.x}{p0}"))).readsBody)
        #expect(try AggregatePlan(definition("/{body.a}")).parts[0].pathHoldsInput)
    }

    @Test func whatIsNoReferenceToTheBody() {
        var bodiless = definition("/{body.a}", "/{bodi.a}")
        #expect(
            issues(bodiless).last
                == "p1 path: at 1: {bodi.a} refers to a part \"bodi\" that is not there, did you mean \"body\"?")
        bodiless.mayReadBody = false
        #expect(
            issues(bodiless).first?.hasPrefix("p0 path: at 1: {body.a} needs a route for methods with a body") == true)
        var parameter = definition("/{body}")
        parameter.pathParameters = [.init(name: "body")]
        #expect(issues(parameter).first?.contains("rename the parameter") == true)
        parameter.mayReadBody = false
        #expect(issues(parameter).isEmpty, "where requests have no body, the name is free")
        #expect(
            issues(AggregateDefinition(parts: [part("body", "/")]))
                == ["body name: a part cannot be called \"body\": templates use that name for the request"])
    }

    @Test func valuesStandInTheOutput() throws {
        let plan = try AggregatePlan(
            definition(
                "/{body.id}",
                output: .object([
                    .init(name: "p", value: .string("{p0}")), .init(name: "is", value: .string("{body.n}")),
                    .init(name: "was", value: .string("<{body.id}{body.none}>")),
                    .init(name: "none", value: .string("{body.none}")),
                ])))
        var run = AggregateRun(hashSeed: 1)
        for number in [1, 2] {
            run.inputs.body.append(Array(#"{"id":"\u00e4","n":[\#(number).0]}"#.utf8).span)
            let fault = run.inputs.body.read(for: plan)
            #expect(fault == nil)
            run.prepare(plan)
            run.begin()
            while run.nextAction() != nil {}
            run.answerBegan(0, status: 200)
            run.answerReceived(Array("7".utf8).span, 0)
            run.answerEnded(0)
            var composer = ViewComposer()
            var body = ByteBuffer()
            composer.compose(run, into: &body)
            let text = body.text
            #expect(text == #"{"p":7,"is":[\#(number).0],"was":"<ä>","none":null}"#)
            // The next body takes the place of this one.
            run.reset()
        }
    }

    @Test(arguments: ["", "{", #"{"a":1,"a":2}"#, "1 2", "\u{FEFF}1"])
    func bodiesThatAreNoJSON(_ text: String) throws {
        var inputs = TemplateInputs()
        inputs.body.append(Array(text.utf8).span)
        let fault = inputs.body.read(for: try AggregatePlan(definition("/{body.a}")))
        #expect(fault == .invalid)
    }
}
