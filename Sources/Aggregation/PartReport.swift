/// What a part of a view that writes has come to, as far as the gateway can know.
package struct PartReport: Equatable, Sendable, BitwiseCopyable {
    /// The four words for it.
    package enum State: UInt8, CaseIterable, Sendable, BitwiseCopyable {
        /// A step was answered with 2xx, whatever its body is worth; a part that reads has its value.
        case done
        /// It was answered otherwise, or, reading, has no value that can be used.
        case failed
        /// A step's request may have reached its service, and no final answer came.
        case unknown
        /// Nothing was sent, or certainly nothing arrived.
        case notStarted

        /// The word for it.
        package var word: StaticString {
            switch self {
            case .done: "done"
            case .failed: "failed"
            case .unknown: "unknown"
            case .notStarted: "not_started"
            }
        }
    }

    package var state: State
    /// The status of the answer that tells most, 0 where none came.
    package var status: UInt16 = 0
    /// What went wrong, where state and status do not say so.
    package var reason: PartFailure.Reason?
    /// Of a part that asks for its values one by one: how many were done, of how many; nil for others.
    package var values: Values?

    /// So many of so many.
    package struct Values: Equatable, Sendable, BitwiseCopyable {
        package var done: Int
        package var of: Int
    }
}
