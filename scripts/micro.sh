#!/usr/bin/env bash
# Counts the instructions and allocations of single operations (parsing a head, evaluating a flag …), which are the same on
# any machine, and compares them with Benchmarks/Micro/thresholds.json. Exit code 1 when one of them costs over 5 % more.
#
#   scripts/micro.sh                     every operation
#   scripts/micro.sh view route-of-10    these alone
#   scripts/micro.sh --update            writes the thresholds anew; the commit says why
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v valgrind >/dev/null; then
    echo "micro.sh: valgrind is missing: scripts/test-tools.sh installs it" >&2
    exit 69
fi

export BANYAN_MICRO=1
# The folder of the optimised gateway, most of which is the same.
build=(--configuration release --scratch-path "${BANYAN_MICRO_BUILD:-.build-release}" --static-swift-stdlib
    --product micro)
swift build "${build[@]}"
exec Benchmarks/micro.py "$(swift build "${build[@]}" --show-bin-path)/micro" "$@"
