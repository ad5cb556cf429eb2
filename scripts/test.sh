#!/usr/bin/env bash
# The whole test suite in one command: installs what is missing, builds, and runs. The last line counts the tests.
#
#   scripts/test.sh                      everything, on a debug build, and on an optimised one what only that can show:
#                                        allocations, memory, and what single operations cost (scripts/micro.sh)
#   scripts/test.sh --asan               everything under AddressSanitizer
#   scripts/test.sh --filter HTTPMessage what matches, as `swift test --filter` understands it
set -euo pipefail

swift_flags=(--scratch-path .build)
filter=()
measured=1
while (($# > 0)); do
    case $1 in
        --asan)
            swift_flags=(--scratch-path .build-asan --sanitize address)
            # Leaks are looked for elsewhere: the test runner itself keeps what it made until its end.
            export ASAN_OPTIONS=detect_leaks=0
            measured=0
            shift
            ;;
        --filter)
            if (($# < 2)); then
                echo "test.sh: --filter needs a pattern" >&2
                exit 64
            fi
            filter+=(--filter "$2")
            measured=0
            shift 2
            ;;
        *)
            echo "usage: scripts/test.sh [--asan] [--filter PATTERN]..." >&2
            exit 64
            ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
if ((measured)); then scripts/test-tools.sh; fi
if [[ -e .tools/requirements.txt ]]; then export BANYAN_TOOLS=$PWD/.tools; fi
swift build --build-tests "${swift_flags[@]}"
if ((measured)); then
    # What an optimised program alone can show: allocations per request, memory under large bodies.
    optimised=(--configuration release --scratch-path .build-release --static-swift-stdlib)
    swift build --product banyan "${optimised[@]}"
    BANYAN_OPTIMISED=$(swift build "${optimised[@]}" --show-bin-path)
    export BANYAN_OPTIMISED
fi

record=$(mktemp)
trap 'rm -f "$record"' EXIT
status=0
runs=0

run() {
    runs=$((runs + 1))
    swift test --skip-build --disable-xctest "${swift_flags[@]}" "$@" 2>&1 | tee -a "$record" || status=$?
}

if ((${#filter[@]} > 0)); then
    run "${filter[@]}"
else
    # Tests that wait for processes hold the threads that the demo system's own tests would serve on: each kind has a
    # process of its own.
    run --skip '^(TaskSystem|EndToEnd)Tests\.'
    run --filter '^TaskSystemTests\.'
    run --filter '^EndToEndTests\.'
fi

# One line a test function, whatever the number of its cases; one more for each run, which a run that breaks off lacks.
passed=$(grep -cE '^[^ ]+ Test .* passed after [0-9.]+ seconds' "$record" || true)
failed=$(grep -cE '^[^ ]+ Test .* failed after [0-9.]+ seconds' "$record" || true)
good=$(grep -cE '^[^ ]+ Test run with .* passed after' "$record" || true)
bad=$(grep -cE '^[^ ]+ Test run with .* failed after' "$record" || true)
passed=$((passed - good))
failed=$((failed - bad))
if ((good + bad != runs)); then
    echo "test.sh: a run broke off before its end" >&2
    failed=$((failed + 1))
    status=1
fi
if ((passed + failed == 0)); then
    echo "test.sh: no test was run" >&2
    status=1
fi
if ((failed > 0)); then
    # Once more, where whoever looks at the end of a long log finds them.
    echo "What failed:"
    grep -E -A 3 '^[^ ]+ Test .* (recorded an issue|failed after)' "$record" | cut -c 1-2000 || true
fi
if ((measured)); then
    if ! command -v valgrind >/dev/null; then
        echo "test.sh: what operations cost was not counted: there is no valgrind"
    elif ! scripts/micro.sh; then
        echo "test.sh: an operation costs more than Benchmarks/Micro/thresholds.json allows, or could not be counted" >&2
        status=1
    fi
fi
echo "$passed passed, $failed failed"
exit "$status"
