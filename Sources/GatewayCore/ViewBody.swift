import Aggregation
import EventLoops
import HTTPListener
import HTTPMessage

/// The client's body, which some views need before they can begin.
extension AggregateExchange {
    /// Waits for the body, if it is one that can be used.
    func awaitBody(for plan: AggregateRoutePlan) {
        guard exchange.head.framing.hasBody else {
            return exchange.fail(.invalidBody, detail: "the request has no body")
        }
        guard exchange.head.declaresJSON else { return exchange.fail(.unsupportedMediaType) }
        guard !exchange.head.hasContentCoding else {
            return exchange.fail(.unsupportedMediaType, detail: "the request body is compressed")
        }
        awaited = plan
        run.inputs.body.reset()
        exchange.awaitsBody = true
        exchange.sendContinue()
    }

    /// A piece of the body came.
    func receive(_ bytes: Span<UInt8>) {
        if awaited != nil { run.inputs.body.append(bytes) }
    }

    /// The body is whole: the view begins.
    func endRequest() {
        guard let plan = awaited else { return }
        awaited = nil
        exchange.bodyAt = EventLoop.nanoseconds
        switch run.inputs.body.read(for: plan.plan) {
        case nil: compose(plan)
        case .invalid: exchange.fail(.invalidBody)
        case .tooMany: exchange.fail(.bodyTooLarge, detail: "the request body has too many values")
        }
    }
}
