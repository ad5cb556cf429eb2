#!/usr/bin/env bash
# Installs what the build needs and this machine lacks: C libraries from Debian or Ubuntu. Says what it does, and does
# nothing the second time. Elsewhere it says what to install by hand.
set -euo pipefail

packages=(
    libcurl4-openssl-dev libssl-dev libnghttp2-dev libjansson-dev libuv1-dev libmimalloc-dev libsqlite3-dev
    zlib1g-dev
    nghttp2-client pkg-config curl openssl
)
swift_minimum=6.2

# The release that `swift` is of, "6.3.1" for instance; empty when there is none.
swift_version() {
    command -v swift >/dev/null || return 0
    swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1
}

check_swift() {
    local version
    version=$(swift_version)
    if [[ -z $version ]]; then
        echo "setup: Swift is missing. Banyan needs Swift $swift_minimum or newer: https://www.swift.org/install" >&2
        return 1
    fi
    if [[ $(printf '%s\n' "$swift_minimum" "$version" | sort -V | head -n 1) != "$swift_minimum" ]]; then
        echo "setup: Swift $version is too old. Banyan needs $swift_minimum or newer: https://www.swift.org/install" >&2
        return 1
    fi
    echo "setup: Swift $version"
}

installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_on_debian() {
    local missing=() as_root=()
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        echo "setup: all packages are here"
        return
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "setup: run this as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "setup: installing ${missing[*]}"
    ${as_root[@]+"${as_root[@]}"} apt-get update --quiet
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}

explain_elsewhere() {
    cat <<'END'
setup: this is not Debian or Ubuntu, so install by hand what is missing:
  macOS:  brew install curl openssl@3 libnghttp2 jansson libuv mimalloc pkg-config
          export PKG_CONFIG_PATH="$(brew --prefix curl)/lib/pkgconfig:$(brew --prefix openssl@3)/lib/pkgconfig"
  Fedora: dnf install libcurl-devel openssl-devel libnghttp2-devel jansson-devel libuv-devel mimalloc-devel \
          sqlite-devel pkgconf-pkg-config curl
END
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_on_debian
else
    explain_elsewhere
fi
check_swift
