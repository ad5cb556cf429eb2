import Testing

/// Rules with what JsonLogic's reference in JavaScript makes of them.
enum JsonLogicTable {
    struct Case: Sendable, CustomTestStringConvertible {
        var rule: String
        var data: String
        var expected: String

        var testDescription: String { "\(rule) for \(data)" }
    }

    /// One case a line: `RULE | DATA => RESULT`; without data they are `{}`. NaN and the infinities stand by their names.
    static let cases: [Case] = "\(text)\n\(operations)".split(separator: "\n").compactMap { line in
        if line.hasPrefix("# ") { return nil }
        let sides = line.split(separator: " => ", maxSplits: 1, omittingEmptySubsequences: false)
        let input = sides[0].split(separator: " | ", maxSplits: 1)
        return Case(rule: String(input[0]), data: input.count > 1 ? String(input[1]) : "{}", expected: String(sides[1]))
    }

    private static let text = #"""
        # Data and structure
        true => true
        "text" => "text"
        null => null
        -17.5 => -17.5
        {} => {}
        {"a": 1, "b": {"+": [1, 2]}} => {"a": 1, "b": {"+": [1, 2]}}
        [] => []
        [1, [2, {"+": [1, 2]}], "x"] => [1, [2, 3], "x"]
        [{"a": 1, "b": 2}, {"!": [0]}] => [{"a": 1, "b": 2}, true]
        # var
        {"var": "a"} | {"a": 1} => 1
        {"var": ["a"]} | {"a": "x"} => "x"
        {"var": ["a", 7]} | {} => 7
        {"var": ["a", 7]} | {"a": null} => null
        {"var": ["a", 7]} | {"a": false} => false
        {"var": ["a", {"+": [3, 4]}]} | {} => 7
        {"var": "a.b.c"} | {"a": {"b": {"c": "deep"}}} => "deep"
        {"var": "a.b.c"} | {"a": {"b": 5}} => null
        {"var": ["a.b.c", "no"]} | {"a": null} => "no"
        {"var": ["a.b", "no"]} | {"a": {"b": null}} => null
        {"var": "a.1"} | {"a": [10, 20]} => 20
        {"var": "a.2"} | {"a": [10, 20]} => null
        {"var": "a.01"} | {"a": [10, 20]} => null
        {"var": "a.-1"} | {"a": [10, 20]} => null
        {"var": "a.1.b"} | {"a": [10, {"b": "c"}]} => "c"
        {"var": "a..b"} | {"a": {"": {"b": 1}}} => 1
        {"var": "."} | {"": {"": 4}} => 4
        {"var": 1} | ["x", "y"] => "y"
        {"var": 1.1} | ["x", ["p", "q"]] => "q"
        {"var": ""} | [1, 2] => [1, 2]
        {"var": null} | 5 => 5
        {"var": []} | "all" => "all"
        {"var": ["", 4]} | null => null
        {"var": [null, 4]} | null => null
        {"var": {"cat": ["a.", "b"]}} | {"a": {"b": 9}} => 9
        {"var": [{"if": [true, "a", "b"]}, 3]} | {"b": 1} => 3
        {"var": true} | {"true": 1} => 1
        {"var": [["a"]]} | {"a": 3} => 3
        {"var": [[], 5]} | {"a": 3} => 5
        {"var": [[[]], 5]} | {"": 3} => 3
        {"var": "x"} | null => null
        {"var": "x"} | "abc" => null
        {"var": "length"} | [1, 2, 3] => null
        # missing, missing_some
        {"missing": ["a", "b"]} | {"a": 1} => ["b"]
        {"missing": "a"} | {"a": ""} => ["a"]
        {"missing": "a"} | {"a": null} => ["a"]
        {"missing": "a"} | {"a": 0} => []
        {"missing": "a"} | {"a": false} => []
        {"missing": []} | {} => []
        {"missing": [["a", "b"], "c"]} | {"a": 1} => ["b"]
        {"missing": ["a.b", "a.c"]} | {"a": {"b": 2}} => ["a.c"]
        {"missing": {"merge": ["a", ["b"]]}} | {"a": 1} => ["b"]
        {"missing": ["a", 1]} | {"1": "x"} => ["a"]
        {"missing_some": [1, ["a", "b"]]} | {} => ["a", "b"]
        {"missing_some": [1, ["a", "b"]]} | {"b": 0} => []
        {"missing_some": [2, ["a", "b", "c"]]} | {"a": 1, "c": ""} => ["b", "c"]
        {"missing_some": [0, ["a"]]} | {} => []
        {"missing_some": ["2", ["a", "b"]]} | {"a": 1, "b": 2} => []
        {"missing_some": [1, {"merge": [["a"], "b"]}]} | {"b": 1} => []
        # if
        {"if": []} => null
        {"if": [0]} => 0
        {"if": [1, "a"]} => "a"
        {"if": [0, "a"]} => null
        {"if": [0, "a", "b"]} => "b"
        {"if": [0, "a", 1, "b"]} => "b"
        {"if": [0, "a", 0, "b", "c"]} => "c"
        {"if": [0, "a", 0, "b"]} => null
        {"?:": [1, "a", "b"]} => "a"
        {"if": {"var": "x"}} | {"x": 4} => 4
        {"if": [1, "a", {"nonsense": 1}]} => "a"
        {"if": [0, {"nonsense": 1}, "b"]} => "b"
        {"if": [{"nonsense": 1}, "a", "b"]} => PARSE_ERROR
        {"if": [{"var": "x"}, [{"var": "y"}], 99]} | {"x": true, "y": 42} => [42]
        # Truthiness
        {"!!": [0]} => false
        {"!!": [-0.0]} => false
        {"!!": [""]} => false
        {"!!": ["0"]} => true
        {"!!": [" "]} => true
        {"!!": [[]]} => false
        {"!!": [[0]]} => true
        {"!!": [null]} => false
        {"!!": [{}]} => true
        {"!!": {}} => true
        {"!!": []} => false
        {"!": []} => true
        {"!": [[]]} => true
        {"!": {"var": "x"}} => true
        {"!!": {"-": ["x"]}} => false
        {"!!": {"/": [1, 0]}} => true
        # and, or
        {"and": []} => null
        {"or": []} => null
        {"and": [1, "", 2]} => ""
        {"and": [1, 2]} => 2
        {"and": [1, 0, {"nonsense": 1}]} => 0
        {"or": [0, "", []]} => []
        {"or": [0, "a", {"nonsense": 1}]} => "a"
        {"or": [0, {"nonsense": 1}]} => PARSE_ERROR
        {"and": "x"} => "x"
        {"or": {"var": "x"}} | {"x": 3} => 3
        # ==
        {"==": [1, 1]} => true
        {"==": [1, "1"]} => true
        {"==": ["1", 1.0]} => true
        {"==": [" 1 ", 1]} => true
        {"==": ["", 0]} => true
        {"==": ["0", false]} => true
        {"==": ["", false]} => true
        {"==": ["false", false]} => false
        {"==": [true, 1]} => true
        {"==": [true, "1"]} => true
        {"==": [true, "true"]} => false
        {"==": [true, 2]} => false
        {"==": [null, 0]} => false
        {"==": [null, false]} => false
        {"==": [null, ""]} => false
        {"==": [null, null]} => true
        {"==": [null]} => true
        {"==": []} => true
        {"==": [1]} => false
        {"==": [[1], 1]} => true
        {"==": [[1], "1"]} => true
        {"==": [[1, 2], "1,2"]} => true
        {"==": [[], ""]} => true
        {"==": [[], 0]} => true
        {"==": [[], false]} => true
        {"==": [[], []]} => false
        {"==": [[1], [1]]} => false
        {"==": [[null], 0]} => true
        {"==": [[[1]], 1]} => true
        {"==": [{}, "[object Object]"]} => true
        {"==": [{}, {}]} => false
        {"==": [{"var": "a"}, {"var": "a"}]} | {"a": [1]} => true
        {"==": [{"var": "a"}, {"var": "b"}]} | {"a": [1], "b": [1]} => false
        {"==": [{"var": "a"}, {"var": "a"}]} | {"a": []} => true
        {"==": [{"var": "a"}, {"var": "b"}]} | {"a": [], "b": []} => false
        {"==": [{"+": ["x"]}, {"+": ["x"]}]} => false
        {"==": ["a", "A"]} => false
        {"==": ["1e3", 1000]} => true
        {"==": ["0x10", 16]} => true
        {"==": ["\u00e9", "e\u0301"]} => false
        {"==": ["\u00e9", "\u00e9"]} => true
        {"in": ["e", "e\u0301"]} => true
        {"==": [1, 1, {"nonsense": 0}]} => PARSE_ERROR
        {"!=": [1, "1"]} => false
        {"!=": [1, 2]} => true
        {"!=": [null, 0]} => true
        # ===
        {"===": [1, 1.0]} => true
        {"===": [1, "1"]} => false
        {"===": ["a", "a"]} => true
        {"===": [null, null]} => true
        {"===": [null]} => false
        {"===": []} => true
        {"===": [[], []]} => false
        {"===": [true, 1]} => false
        {"===": [{"+": ["x"]}, {"+": ["x"]}]} => false
        {"!==": [1, "1"]} => true
        {"!==": [1, 1]} => false
        {"!==": [[1], [1]]} => true
        # Order
        {">": [2, 1]} => true
        {">": ["10", "9"]} => false
        {">": ["10", 9]} => true
        {"<": ["10", "9"]} => true
        {"<": ["10", 9]} => false
        {"<": ["a", "b"]} => true
        {"<": ["a", "B"]} => false
        {"<": ["a", "aa"]} => true
        {"<": ["", "a"]} => true
        {"<": ["a", 1]} => false
        {">": ["a", 1]} => false
        {"<": [null, 1]} => true
        {"<=": [null, 0]} => true
        {">=": [null, 0]} => true
        {"<": [null, 0]} => false
        {"<": [1]} => false
        {"<=": [1]} => false
        {">=": []} => false
        {"<": [true, 2]} => true
        {"<": [[1], 2]} => true
        {"<": [[1, 2], "1,3"]} => true
        {"<": [[2], [10]]} => false
        {"<": [{}, 1]} => false
        {"<=": [{}, {}]} => true
        {">": [{}, "Z"]} => true
        {"<": [1, 2, 3]} => true
        {"<": [1, 2, 2]} => false
        {"<": [1, 1, 2]} => false
        {"<=": [1, 2, 2]} => true
        {"<=": [1, 1, 0]} => false
        {"<": [1, 2, null]} => false
        {"<": [0, 1, {"and": []}]} => true
        {"<": ["1", "5", 10]} => true
        {">": [3, 2, 1]} => true
        {"<": ["\uffff", "\ud83d\ude00"]} => false
        {">": ["\uffff", "\ud83d\ude00"]} => true
        {"<": ["\ud7ff", "\ud83d\ude00"]} => true
        {"<": ["\ud83d\ude00", "\ud83d\ude01"]} => true
        {"<=": [{"/": [0, 0]}, 1]} => false
        """#
}
