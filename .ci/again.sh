# Sourced by .ci/run. Tests that failed run once more, by themselves and with the machine to themselves; a test that
# passes then is flaky: it stops nobody, and the end of the run names it.
# Needs DELPHIS_PYTHON (default .venv/bin/python). A change here is proved by tests/packaging/test_again.py.

MOST_AGAIN=5
flaky=()

with_second_try() { # function that runs pytest with the options it is given
    local run=$1 cache failed outcome=0
    cache=$(mktemp -d) || return 1
    if ! "$run" -o cache_dir="$cache"; then
        outcome=1
        if failed=$(failed_tests "$cache"); then
            printf '\n=== once more, alone:\n%s\n' "$failed"
            if "$run" -o cache_dir="$cache" --numprocesses 0 --last-failed --last-failed-no-failures none &&
                nothing_failed "$cache"; then
                outcome=0
                while read -r test; do flaky+=("$test"); done <<<"$failed"
            fi
        fi
    fi
    rm -rf "$cache"
    return $outcome
}

# Their ids, where the run was complete and some tests failed, but not more than a few: else nothing is tried again.
failed_tests() { # pytest's cache
    "${DELPHIS_PYTHON:-.venv/bin/python}" - "$1" "$MOST_AGAIN" <<'PYTHON'
import json, pathlib, sys

cache, most = pathlib.Path(sys.argv[1], "v"), int(sys.argv[2])
try:
    ended = json.loads((cache / "delphis/ended").read_text())
    failed = sorted(json.loads((cache / "cache/lastfailed").read_text()))
except OSError as error:
    sys.exit(f"=== not tried again: pytest did not get to its end ({error})")
# 1: all tests ran, some failed. A file that could not be imported has no `::`.
if ended != 1 or not all("::" in test for test in failed):
    sys.exit(f"=== not tried again: pytest ended with {ended}, so not all tests ran")
if not 0 < len(failed) <= most:
    sys.exit(f"=== not tried again: {len(failed)} tests failed, and more than {most} is no accident")
print(*failed, sep="\n")
PYTHON
}

# A test that the second run did not find would still stand there.
nothing_failed() { # pytest's cache
    local left
    left=$("${DELPHIS_PYTHON:-.venv/bin/python}" -c 'import json, sys; print(*json.load(open(sys.argv[1])))' \
        "$1/v/cache/lastfailed") && [ -z "$left" ]
}

name_flaky_tests() {
    [ ${#flaky[@]} -gt 0 ] || return 0
    printf '\n############################################################################\n'
    printf '# FLAKY: failed at first, passed when run again alone. Look into it:\n'
    printf '#   %s\n' "${flaky[@]}"
    printf '############################################################################\n'
}
