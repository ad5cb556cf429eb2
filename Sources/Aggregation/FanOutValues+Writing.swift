import ByteBuffers
import JSON

extension FanOutValues {
    /// Writes one value as it has to stand in its place.
    borrowing func append(
        _ index: Int, _ place: Template.Place, to output: inout ByteBuffer, scratch: inout ByteBuffer
    ) -> TemplateProblem.Kind? {
        switch place {
        case .json: appendJSON(index, to: &output)
        case .jsonString: scratch.append(text(index))
        case .path, .pathRest, .query, .header: return Template.append(text(index), place, to: &output)
        }
        return nil
    }

    /// Writes all values of `range`: with commas between them, which are none of theirs, or as an array.
    borrowing func append(
        all range: Range<Int>, _ place: Template.Place, to output: inout ByteBuffer
    ) -> TemplateProblem.Kind? {
        if place == .json { output.append("[") }
        for index in range {
            if index > range.lowerBound { output.append(",") }
            if place == .json {
                appendJSON(index, to: &output)
            } else if let problem = Template.append(text(index), place, to: &output) {
                return problem
            }
        }
        if place == .json { output.append("]") }
        return nil
    }

    /// Writes a value as JSON: numbers to the digit.
    private borrowing func appendJSON(_ index: Int, to output: inout ByteBuffer) {
        if self[index].isString { output.appendJSONString(text(index)) } else { output.append(text(index)) }
    }
}
