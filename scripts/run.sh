#!/usr/bin/env bash
# The demo in one command: installs what is missing, builds, makes certificates for this machine, and runs the gateway in
# front of a monolith and its services.
# Arguments go to `banyan demo`. Ctrl-C ends everything.
set -euo pipefail

swift_flags=(--configuration release --scratch-path .build-release --static-swift-stdlib)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
# By product: a build of everything also builds the fuzzer's properties and what the packages offer besides.
for product in tasksystem banyan; do swift build "${swift_flags[@]}" --product "$product"; done
scripts/make-certs.sh
exec "$(swift build "${swift_flags[@]}" --show-bin-path)/banyan" demo "$@"
