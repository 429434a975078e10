#!/bin/sh
# deps.sh build|check: installs the Debian packages (12 and later) that are missing, and says which; what is there stays as it is.
# build: to make squall.  check: and to run `make check`.
set -eu
build="gcc libc6-dev make pkg-config libpcap-dev libndpi-dev libconfuse-dev libxxhash-dev libzstd-dev zlib1g-dev libjansson-dev libsqlite3-dev
    libsnmp-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev librrd-dev libseccomp-dev libcrypt-dev libjs-dygraphs"
receivers="snmp snmpd snmptrapd smitools python3-pysnmp4 python3-pysnmp4-mibs rsyslog rsyslog-gnutls prometheus prometheus-alertmanager rrdcached"
# a mail server to send an alarm by; a machine that has another one keeps it, and that test is skipped
[ -e /usr/sbin/sendmail ] || receivers="$receivers postfix"
check="libcmocka-dev clang libclang-rt-dev clang-tidy cppcheck valgrind jq zstd libc6-dbg
    python3 openssl curl iproute2 tcpreplay tcpdump wrk $receivers"
for tool in node:nodejs npm:npm chromium:chromium; do # from elsewhere will do: Debian's npm and another's nodejs do not go together
    command -v "${tool%:*}" >/dev/null || check="$check ${tool#*:}"
done
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
    # the tests start receivers of alarms themselves: those installed for them are not to run by themselves, now or after the next boot
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && policy=
    [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null && $as_root chmod 755 "$policy"; }
    log=$(mktemp) good=yes
    { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1 || good=
    [ -z "$policy" ] || $as_root rm -f "$policy"
    for package in $receivers; do
        case " $missing " in *" $package "*)
            for unit in "$package.service" "$package.socket"; do $as_root systemctl disable "$unit" >/dev/null 2>&1 || true; done ;;
        esac
    done
    if [ -z "$good" ]; then
        tail -n 20 "$log" >&2
        echo "deps: apt-get failed: see above; then run make again" >&2
        rm -f "$log"
        exit 69
    fi
    rm -f "$log"
else
    echo "deps: all here"
fi
