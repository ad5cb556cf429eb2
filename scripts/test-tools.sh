#!/usr/bin/env bash
# Installs what the tests talk to the gateway with and measure it by and this machine lacks: HTTP/2 tools, a browser and
# valgrind from Debian or Ubuntu; Python clients, nginx and Prometheus into .tools. Says what it does, and does nothing the second time. Where
# something cannot be had, the tests that need it say so and are skipped.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(nghttp2-client nghttp2-server openssl util-linux python3-venv valgrind)
browsers=(chromium-headless-shell chromium)
requirements=Tests/EndToEndTests/Clients/requirements.txt

installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_packages() {
    local missing=() as_root=()
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$package")
    done
    if ! installed "${browsers[0]}" && ! installed "${browsers[1]}"; then
        for browser in "${browsers[@]}"; do
            if [[ -n $(apt-cache policy "$browser" 2>/dev/null | sed -n 's/.*Candidate: \([^(].*\)/\1/p') ]]; then
                missing+=("$browser")
                break
            fi
        done
    fi
    if ((${#missing[@]} == 0)); then
        echo "test-tools: all packages are here"
        return
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "test-tools: run this as root: apt-get install ${missing[*]}" >&2
            return
        fi
        as_root=(sudo)
    fi
    echo "test-tools: installing ${missing[*]}"
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends "${missing[@]}" >/dev/null ||
        echo "test-tools: not all of them can be installed" >&2
}

install_python_clients() {
    if [[ -e .tools/requirements.txt ]] && cmp --silent "$requirements" .tools/requirements.txt; then
        echo "test-tools: the Python clients are here"
        return
    fi
    echo "test-tools: installing Python clients into .tools"
    if python3 -m venv .tools && .tools/bin/pip install --quiet --requirement "$requirements"; then
        cp "$requirements" .tools/requirements.txt
    else
        echo "test-tools: they cannot be installed" >&2
    fi
}

# As a file alone: the package would start a server on this machine.
#
#   unpack PACKAGE PROGRAM
unpack() {
    local package=$1 program=$2
    if command -v "$program" >/dev/null || [[ -x .tools/$package$program ]]; then
        echo "test-tools: $package is here"
        return
    fi
    echo "test-tools: unpacking $package into .tools"
    mkdir -p ".tools/$package"
    if (cd ".tools/$package" && apt-get download --quiet "$package" >/dev/null &&
        dpkg --extract "$package"_*.deb . && rm "$package"_*.deb); then
        return
    fi
    echo "test-tools: it cannot be had" >&2
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_packages
    unpack nginx /usr/sbin/nginx
    unpack prometheus /usr/bin/prometheus
fi
install_python_clients
