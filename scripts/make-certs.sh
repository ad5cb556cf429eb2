#!/usr/bin/env bash
# Makes the certificates of the demo in certs/, with a development authority of their own: for this machine, never for
# the internet. Does nothing while they are there and good for another week.
#
#   scripts/make-certs.sh            what is missing or about to expire
#   scripts/make-certs.sh --force    all of it anew
set -euo pipefail

days=397
week=$((7 * 86400))
cd "$(dirname "${BASH_SOURCE[0]}")/../certs"

case ${1:-} in
    "") ;;
    --force) rm -f ./*.crt ./*.key ;;
    *)
        echo "usage: scripts/make-certs.sh [--force]" >&2
        exit 64
        ;;
esac
if ! command -v openssl >/dev/null; then
    echo "make-certs: the openssl command is missing" >&2
    exit 69
fi
umask 077

# Whether NAME.crt and NAME.key are there, signed by the authority, and good for another week.
is_good() {
    [[ -s $1.key && -s $1.crt ]] && openssl x509 -in "$1.crt" -noout -checkend "$week" >/dev/null \
        && openssl verify -CAfile ca.crt "$1.crt" >/dev/null 2>&1
}

# make_authority: ca.crt and ca.key.
make_authority() {
    echo "make-certs: certs/ca.crt, the authority"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 3650 \
        -subj "/CN=Banyan development authority" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
}

# make NAME USE NAMES: NAME.crt and NAME.key for a server or a client.
make() {
    local name=$1 use=$2 names=$3 work
    echo "make-certs: certs/$name.crt, a $use"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/key" -out "$work/csr" \
        -subj "/CN=$name" 2>/dev/null
    cat >"$work/extensions" <<END
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = ${use}Auth
subjectAltName = $names
END
    openssl x509 -req -in "$work/csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 15)" -days "$days" \
        -extfile "$work/extensions" -out "$work/crt" 2>/dev/null
    mv "$work/key" "$name.key"
    mv "$work/crt" "$name.crt"
    chmod 644 "$name.crt"
}

is_good ca || make_authority
chmod 644 ca.crt
is_good gateway || make gateway server "DNS:localhost, IP:127.0.0.1, IP:::1"
is_good notifications || make notifications server "DNS:localhost, IP:127.0.0.1, IP:::1"
is_good gateway-client || make gateway-client client "DNS:gateway.demo"
