# Sourced by the runners: pass, fail and skip count and speak; tally prints the line that every runner ends with.
passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); [ -z "${V:-}" ] || echo "ok: $*"; }
fail() { failed=$((failed + 1)); echo "FAILED: $*"; }
skip() { skipped=$((skipped + 1)); echo "skipped: $*"; }
tally() { # WHAT WAS TESTED
    [ -z "${1:-}" ] || echo "$1"
    echo "$passed passed, $failed failed$([ $skipped -gt 0 ] && echo ", $skipped skipped")"
    [ $failed -eq 0 ]
}
