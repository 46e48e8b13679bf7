#!/bin/sh
# Writes the lock files of this folder anew: `make lock`, or `make lock LOCK_ARGS=--upgrade` to move to newer versions.
# $1 is a Python in whose environment the pinned uv (lock.in) lies; further arguments go to uv.
set -eu
cd "$(dirname "$0")/.."
uv="$(dirname "$1")/uv"
shift
projects="pyproject.toml protos/pyproject.toml driver_host/pyproject.toml cli/pyproject.toml delfin_adapter/pyproject.toml"
ours="--no-emit-package delphis --no-emit-package delphis-protos --no-emit-package delphis-driver-sdk --no-emit-package delphis-cli --no-emit-package delphis-delfin-adapter"

lock() { # output, then inputs and options
    out="requirements/$1.txt"
    shift
    # --no-header, --no-annotate, --no-emit-index-url: a lock file names packages and hashes, no host.
    # shellcheck disable=SC2086
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links $ours "$@" --output-file "$out"
}

# shellcheck disable=SC2086
lock dev $projects --extra kafka --extra mysql --extra ssh --extra snmp --extra tracing requirements/dev.in "$@"
lock app pyproject.toml --extra kafka --extra mysql --extra tracing --constraint requirements/dev.txt "$@"
lock driver-host driver_host/pyproject.toml --extra ssh --extra snmp --extra tracing --constraint requirements/dev.txt "$@"
lock build requirements/build.in --constraint requirements/dev.txt "$@"
lock protoc requirements/protoc.in "$@"
lock protoc-plugin requirements/protoc-plugin.in "$@"
lock go requirements/go.in "$@"
lock lock requirements/lock.in "$@"
