#!/usr/bin/env bash
# Fuzzes what reads bytes from outside: each target of Fuzz/Targets for some seconds, beginning with its corpus.
#
#   scripts/fuzz.sh 60                   every target for a minute
#   scripts/fuzz.sh 600 path json        two of them for ten minutes each
#
# An input that breaks a property, hangs (5 s) or takes too much memory (512 MB) lies in Fuzz/Findings afterwards, and
# the exit code is 1. Mend the defect, make the input small (BANYAN_FUZZ=1 ... fuzz -minimize_crash=1), and keep it in
# Fuzz/Corpus, which the tests replay.
set -euo pipefail

if (($# == 0)) || [[ ! $1 =~ ^[0-9]+$ ]] || (($1 == 0)); then
    echo "usage: scripts/fuzz.sh SECONDS [TARGET]..." >&2
    exit 64
fi
seconds=$1
shift

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export BANYAN_FUZZ=1
# Both sanitizers in one option: of several the compiler heeds the last alone.
build=(--configuration release --scratch-path "${BANYAN_FUZZ_BUILD:-.build-fuzz}" --product fuzz
    --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address -Xswiftc -parse-as-library)
swift build "${build[@]}"
program=$(swift build "${build[@]}" --show-bin-path)/fuzz

# A crash is libFuzzer's to report: Swift's own reporter would wait beside it.
export SWIFT_BACKTRACE=enable=no
# Leaks show as memory that grows; freed memory is kept back for a while, but not so much that it hides them.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16

known=$(cd Fuzz/Corpus && echo *)
if (($# == 0)); then
    read -ra targets <<<"$known"
else
    targets=("$@")
fi

status=0
mkdir -p Fuzz/Findings
learnt=$(mktemp -d)
trap 'rm -rf "$learnt"' EXIT
for target in "${targets[@]}"; do
    if [[ ! -d Fuzz/Corpus/$target ]]; then
        echo "fuzz.sh: no target $target; there are: $known" >&2
        exit 64
    fi
    mkdir "$learnt/$target"
    log=$learnt/$target.log
    result=ok
    # Inputs that reach something new go to the first folder; the corpus in the tree is only read.
    FUZZ_TARGET=$target "$program" "$learnt/$target" "Fuzz/Corpus/$target" -max_total_time="$seconds" \
        -max_len=4096 -timeout=5 -rss_limit_mb=512 -print_final_stats=1 \
        -artifact_prefix="Fuzz/Findings/$target-" >"$log" 2>&1 </dev/null || result=failed
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    memory=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    coverage=$(sed -nE 's/.* cov: ([0-9]+) .*/\1/p' "$log" | tail -n 1)
    if [[ $result == ok && -z $coverage ]]; then result="failed (the program is not instrumented)"; fi
    echo "$target: $result, ${runs:-0} runs, ${speed:-0} a second, coverage ${coverage:-0}, ${memory:-0} MB"
    if [[ $result != ok ]]; then
        grep -vE '^[[:space:]]*(#|INFO|NEW_FUNC|NOTE:|stat::|0x|Combine)' "$log" | head -n 40 || true
        status=1
    fi
done
exit "$status"
