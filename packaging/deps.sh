#!/bin/sh
# deps.sh build|check: installs the Debian packages (12 and later) that are missing, and says which; what is there stays as it is.
# build: to make squall.  check: and to run `make check`.
set -eu
build="gcc libc6-dev make pkg-config libpcap-dev libndpi-dev libconfuse-dev libxxhash-dev libzstd-dev zlib1g-dev libjansson-dev libsqlite3-dev
    libsnmp-dev libcurl4-openssl-dev libssl-dev"
check="libcmocka-dev clang libclang-rt-dev clang-tidy cppcheck valgrind jq zstd libc6-dbg"
case ${1:-build} in
build) want="$build" ;;
check) want="$build $check" ;;
*) echo "usage: packaging/deps.sh build|check" >&2; exit 64 ;;
esac

command -v dpkg-query >/dev/null || {
    echo "deps: this is no Debian: install the likes of: $want" >&2
    exit 0
}
missing=
for package in $want; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo"
        command -v sudo >/dev/null || { echo "deps: missing:$missing; run as root: apt-get install$missing" >&2; exit 69; }
    fi
    echo "deps: installing$missing"
    log=$(mktemp)
    if ! { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "deps: apt-get failed: see above; then run make again" >&2
        rm -f "$log"
        exit 69
    fi
    rm -f "$log"
else
    echo "deps: all here"
fi
