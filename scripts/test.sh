#!/usr/bin/env bash
# The whole test suite in one command: installs what is missing, builds, and runs. The last line counts the tests.
#
#   scripts/test.sh                      everything
#   scripts/test.sh --asan               everything under AddressSanitizer
#   scripts/test.sh --filter HTTPMessage what matches, as `swift test --filter` understands it
set -euo pipefail

swift_flags=(--scratch-path .build)
filter=()
while (($# > 0)); do
    case $1 in
        --asan)
            swift_flags=(--scratch-path .build-asan --sanitize address)
            # Leaks are looked for elsewhere: the test runner itself keeps what it made until its end.
            export ASAN_OPTIONS=detect_leaks=0
            shift
            ;;
        --filter)
            if (($# < 2)); then
                echo "test.sh: --filter needs a pattern" >&2
                exit 64
            fi
            filter+=(--filter "$2")
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
swift build --build-tests "${swift_flags[@]}"

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
echo "$passed passed, $failed failed"
exit "$status"
