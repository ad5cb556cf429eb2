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
    static let cases: [Case] = text.split(separator: "\n").compactMap { line in
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
        # Arithmetic
        {"+": [1, 2, 3]} => 6
        {"+": []} => 0
        {"+": ["3.14"]} => 3.14
        {"+": "3"} => 3
        {"+": ["1abc", 1]} => 2
        {"+": ["abc", 1]} => NaN
        {"+": [null, 1]} => NaN
        {"+": [true, 1]} => NaN
        {"+": [[1, 2], 1]} => 2
        {"+": [{}, 1]} => NaN
        {"+": [" 4 ", 1]} => 5
        {"+": ["0x10", 1]} => 1
        {"+": [0.1, 0.2]} => 0.30000000000000004
        {"*": [2, "3"]} => 6
        {"*": [2, 3, 4]} => 24
        {"*": ["5"]} => "5"
        {"*": "7"} => "7"
        {"*": []} => PARSE_ERROR
        {"*": ["2x", 3]} => 6
        {"*": [null, 3]} => NaN
        {"-": [5, 3]} => 2
        {"-": [5]} => -5
        {"-": ["5"]} => -5
        {"-": [null]} => 0
        {"-": []} => NaN
        {"-": [5, null]} => 5
        {"-": ["5x", 1]} => NaN
        {"-": [true, "0x10"]} => -15
        {"-": [[7], 1]} => 6
        {"/": [1, 2]} => 0.5
        {"/": [1, 0]} => Infinity
        {"/": [-1, 0]} => -Infinity
        {"/": [0, 0]} => NaN
        {"/": ["9", "3"]} => 3
        {"/": [4]} => NaN
        {"%": [7, 3]} => 1
        {"%": [-7, 3]} => -1
        {"%": [7, -3]} => 1
        {"%": [5.5, 2]} => 1.5
        {"%": [5, 0]} => NaN
        {"%": [5, {"/": [1, 0]}]} => 5
        {"%": ["7", "4"]} => 3
        {"max": [1, "3", 2]} => 3
        {"max": []} => -Infinity
        {"min": []} => Infinity
        {"max": [null, -1]} => 0
        {"max": [1, "x"]} => NaN
        {"min": [3, true, "2"]} => 1
        {"max": [[5], 1]} => 5
        {"max": [[1, 2]]} => NaN
        {"min": 4} => 4
        {"max": [{"var": "x"}, 1]} | {"x": "12"} => 12
        # cat
        {"cat": []} => ""
        {"cat": "a"} => "a"
        {"cat": ["a", "b", 1]} => "ab1"
        {"cat": ["a", null, "b"]} => "ab"
        {"cat": ["a", true, false]} => "atruefalse"
        {"cat": ["a", {"var": "x"}, "b"]} => "ab"
        {"cat": [1.0, "-", 1.5, "-", 1e21, "-", 1e-7, "-", 100000000000000000000.0]} => "1-1.5-1e+21-1e-7-100000000000000000000"
        {"cat": [[1, [2, null, 3]], "|", []]} => "1,2,,3|"
        {"cat": [{}, {"a": 1, "b": 2}]} => "[object Object][object Object]"
        {"cat": [{"/": [1, 0]}, {"/": [0, 0]}, {"-": [{"/": [1, 0]}]}]} => "InfinityNaN-Infinity"
        {"cat": ["  a ", " b  "]} => "  a  b  "
        {"cat": [0.1, 0.30000000000000004, -0.0]} => "0.10.300000000000000040"
        {"cat": [{"and": []}, "x"]} => "x"
        {"cat": [[{"and": []}, null, "x"]]} => ",,x"
        # substr
        {"substr": ["jsonlogic", 4]} => "logic"
        {"substr": ["jsonlogic", -5]} => "logic"
        {"substr": ["jsonlogic", -50, 3]} => "jso"
        {"substr": ["jsonlogic", 50]} => ""
        {"substr": ["jsonlogic", 1, 3]} => "son"
        {"substr": ["jsonlogic", 1, -5]} => "son"
        {"substr": ["jsonlogic", -5, -2]} => "log"
        {"substr": ["jsonlogic", 0, 0]} => ""
        {"substr": ["jsonlogic", 4, -50]} => ""
        {"substr": ["jsonlogic", 1, null]} => ""
        {"substr": ["jsonlogic", "2", "3"]} => "onl"
        {"substr": ["jsonlogic", 1.9, 2.9]} => "so"
        {"substr": ["jsonlogic", 2, -0.5]} => "onlogi"
        {"substr": ["jsonlogic"]} => "jsonlogic"
        {"substr": ["jsonlogic", "x", "y"]} => ""
        {"substr": ["jsonlogic", {"-": [{"/": [1, 0]}]}, {"/": [1, 0]}]} => "jsonlogic"
        {"substr": [12345, 1, 3]} => "234"
        {"substr": [null, 1]} => "ull"
        {"substr": [true, 1]} => "rue"
        {"substr": [[1, 2, 3], 1]} => ",2,3"
        {"substr": []} => "undefined"
        {"substr": ["añ漢x", 1, 2]} => "ñ漢"
        {"substr": ["a\ud83d\ude00b", 0, 3]} => "a😀"
        {"substr": ["a\ud83d\ude00b", 3]} => "b"
        {"substr": ["\ud83d\ude00\ud83d\ude01", -2]} => "😁"
        # in
        {"in": ["Spring", "Springfield"]} => true
        {"in": ["i", "team"]} => false
        {"in": ["", "abc"]} => true
        {"in": ["", ""]} => false
        {"in": [null, "nullable"]} => true
        {"in": [1, "a1b"]} => true
        {"in": [true, "untrue"]} => true
        {"in": [[1, 2], "01,23"]} => true
        {"in": [{}, "[object Object]!"]} => true
        {"in": [1, [1, 2]]} => true
        {"in": [1, ["1"]]} => false
        {"in": ["1", ["1"]]} => true
        {"in": [null, [null]]} => true
        {"in": [null, []]} => false
        {"in": [[1], [[1]]]} => false
        {"in": [{"+": ["x"]}, [{"+": ["x"]}, 1]]} => false
        {"in": ["a", null]} => false
        {"in": ["a"]} => false
        {"in": ["a", 1]} => false
        {"in": ["a", {}]} => false
        {"in": ["a", true]} => false
        {"in": []} => false
        {"in": ["longer", "long"]} => false
        {"in": ["aab", "aaaab"]} => true
        {"in": [{"var": "a"}, {"var": "l"}]} | {"a": "b", "l": ["a", "b"]} => true
        {"in": [{"var": "l.0"}, {"var": "l"}]} | {"l": [[1], [2]]} => true
        # merge
        {"merge": []} => []
        {"merge": [1, [2, [3]], null]} => [1, 2, [3], null]
        {"merge": [[], [[]], {}]} => [[], {}]
        {"merge": "x"} => ["x"]
        # map, filter, reduce
        {"map": [[1, 2, 3], {"*": [{"var": ""}, 2]}]} => [2, 4, 6]
        {"map": [{"var": "l"}, {"var": "n"}]} | {"l": [{"n": 1}, {"n": 2}, {}]} => [1, 2, null]
        {"map": [{"var": "l"}, {"var": "outer"}]} | {"l": [1], "outer": 2} => [null]
        {"map": [[[1, 2], [3]], {"var": "0"}]} => [1, 3]
        {"map": ["x", 1]} => []
        {"map": [null, 1]} => []
        {"map": [[1, 2]]} => [missing, missing]
        {"map": [[0, "", null], {"!": {"var": ""}}]} => [true, true, true]
        {"map": [[1, 2], [{"var": ""}, "k"]]} => [[1, "k"], [2, "k"]]
        {"map": [[], {"nonsense": 1}]} => []
        {"map": [[1], {"nonsense": 1}]} => PARSE_ERROR
        {"map": [[[1, 2], [3, 4]], {"map": [{"var": ""}, {"+": [{"var": ""}, 1]}]}]} => [[2, 3], [4, 5]]
        {"filter": [[1, 2, 3, 4], {"%": [{"var": ""}, 2]}]} => [1, 3]
        {"filter": [[0, "", [], {}, "0"], {"var": ""}]} => [{}, "0"]
        {"filter": [{"a": 1, "b": 2}, true]} => []
        {"filter": [[1, 2], true]} => [1, 2]
        {"filter": [[1, 2]]} => []
        {"reduce": [[1, 2, 3], {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]} => 6
        {"reduce": [[1, 2, 3], {"cat": [{"var": "accumulator"}, {"var": "current"}]}]} => "123"
        {"reduce": [[1, 2], {"merge": [{"var": "accumulator"}, {"var": "current"}]}, []]} => [1, 2]
        {"reduce": [[], {"nonsense": 1}, 5]} => 5
        {"reduce": [null, {"nonsense": 1}, 5]} => 5
        {"reduce": [[], 1]} => null
        {"reduce": [[{"var": "a"}], {"var": "current"}, 0]} | {"a": 8} => 8
        {"reduce": [[1, 2], {"var": "outer"}, 0]} | {"outer": 1} => null
        {"reduce": [{"var": "l"}, {"max": [{"var": "accumulator"}, {"var": "current.n"}]}, {"var": "least"}]} | {"l": [{"n": 4}, {"n": 9}], "least": 5} => 9
        {"reduce": [[1, 2]]} => null
        # all, none, some
        {"all": [[1, 2], {">": [{"var": ""}, 0]}]} => true
        {"all": [[1, 0], {"var": ""}]} => false
        {"all": [[], true]} => false
        {"all": [null, true]} => false
        {"all": ["abc", true]} => false
        {"all": [[0, 1], {"if": [{"var": ""}, {"nonsense": 1}, 0]}]} => false
        {"none": [[1, 2], {">": [{"var": ""}, 2]}]} => true
        {"none": [[1, 3], {">": [{"var": ""}, 2]}]} => false
        {"none": [[], true]} => true
        {"none": [null, true]} => true
        {"some": [[1, 3], {">": [{"var": ""}, 2]}]} => true
        {"some": [[1, 2], {">": [{"var": ""}, 2]}]} => false
        {"some": [[], true]} => false
        {"some": [null, true]} => false
        {"some": [[1, 2], {"if": [{"==": [{"var": ""}, 1]}, true, {"nonsense": 1}]}]} => true
        # Unknown operators
        {"nonsense": []} => PARSE_ERROR
        {"Math.abs": [-1]} => PARSE_ERROR
        {"log": "x"} => PARSE_ERROR
        {"": 1} => PARSE_ERROR
        {"$ref": "nowhere"} => PARSE_ERROR
        {"IF": [true, 1, 2]} => PARSE_ERROR
        """#
}
