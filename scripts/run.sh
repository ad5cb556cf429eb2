#!/usr/bin/env bash
# The demo in one command: installs what is missing, builds, makes certificates for this machine, and runs the gateway in
# front of a monolith and its services.
# Arguments go to `banyan demo`. Ctrl-C ends everything.
set -euo pipefail

gateway=(--configuration release --static-swift-stdlib --scratch-path .build-release --product banyan)
# Unoptimised, where the tests build them, too: nobody measures the demo's services, and optimising their storage library
# and HTTP server would take longer than building the gateway.
services=(--scratch-path .build --product tasksystem)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
swift build "${gateway[@]}"
swift build "${services[@]}"

programs=$(swift build "${gateway[@]}" --show-bin-path)
ln -sf "$(swift build "${services[@]}" --show-bin-path)/tasksystem" "$programs/tasksystem"
scripts/make-certs.sh
exec "$programs/banyan" demo "$@"
