# Sourced by the runners: pass, fail and skip count and speak; tally prints the line that every runner ends with.
passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); [ -z "${V:-}" ] || echo "ok: $*"; }
fail() { failed=$((failed + 1)); echo "FAILED: $*"; }
skip() { skipped=$((skipped + 1)); echo "skipped: $*"; }
# until_true SECONDS COMMAND...: waits until it succeeds; SECONDS is long enough where nothing else runs, a busy machine has twelve times as long
until_true() {
    local end=$((SECONDS + 12 * $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
# says URL FILTER: jq makes something of what is answered there (and jq 1.6 alone has no quarrel with nothing)
says() {
    local answer
    answer=$(curl -s -m 60 "$1") && [ -n "$answer" ] && jq -e "$2" <<<"$answer"
}
tally() { # WHAT WAS TESTED
    [ -z "${1:-}" ] || echo "$1"
    echo "$passed passed, $failed failed$([ $skipped -gt 0 ] && echo ", $skipped skipped")"
    [ $failed -eq 0 ]
}
