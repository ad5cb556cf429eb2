import Aggregation
import ByteBuffers
import Compression
import HTTPMessage

/// The content of the answer to a part: whether it can be JSON at all, and what it is without its coding.
///
/// Nothing but plain JSON is asked for, and some services compress all the same.
struct PartContent: ~Copyable {
    private var decoder: GzipDecoder?

    init() {}

    /// Looks at the head of an answer; why the part cannot have it, or nil.
    mutating func begin(_ head: borrowing ResponseHead) -> PartFailure.Reason? {
        decoder = nil
        guard head.mayBeJSON else { return .notJSON }
        switch head.contentCoding {
        case .identity: return nil
        case .gzip:
            decoder = GzipDecoder(limit: AggregateRun.maximumAnswer)
            return decoder == nil ? .internal : nil
        case .other: return .badCoding
        }
    }

    /// Hands what `bytes` stand for to `run`; whether that wants something now.
    mutating func receive(_ bytes: Span<UInt8>, for call: Int, of run: inout AggregateRun) -> Bool {
        if decoder == nil {
            run.answerReceived(bytes, call)
            return run.wantsAction
        }
        let outcome = decoder?.decode(bytes) { piece in
            run.answerReceived(piece, call)
            return run.isRunning(call)
        }
        switch outcome {
        case nil, .taken?: break
        case .corrupt?: run.answerIsUnusable(call, .badCoding)
        case .tooLarge?: run.answerIsUnusable(call, .tooLarge)
        }
        return run.wantsAction
    }

    /// Whether the answer may end here.
    var isWhole: Bool {
        switch decoder {
        case .some(let decoder): decoder.isWhole
        case .none: true
        }
    }

    /// Forgets the answer; the memory of a decoder is given back.
    mutating func end() { decoder = nil }
}
