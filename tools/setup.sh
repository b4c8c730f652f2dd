#!/bin/sh
# Sets up one part of the development environment: python | frontend | browser. Says in one sentence what is missing.
set -eu
cd "$(dirname "$0")/.."

# Debian packages, where we may install them.
debian() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then run=""; elif sudo -n true 2>/dev/null; then run="sudo"; else return 1; fi
    $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    $run apt-get update -qq >/dev/null 2>&1 || return 1
    $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

stop() { echo "setup: $1" >&2; exit 1; }

setup_python() {
    for python in ${PYTHON:-} python3.14 python3.13 python3.12 python3.11 python3; do
        if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            break
        fi
        python=""
    done
    [ -n "$python" ] || stop "Python 3.11 or newer is needed (Debian: apt install python3 python3-venv)"
    [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || rm -rf .venv
    if [ ! -d .venv ] && ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        debian python3-venv && "$python" -m venv .venv || stop "no virtual environment could be made (Debian: apt install python3-venv)"
    fi
    echo "setup: installing Python packages"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    touch .venv/installed
}

setup_frontend() {
    command -v node >/dev/null && command -v npm >/dev/null || stop "Node 20 or newer with npm is needed (Debian: apt install nodejs npm)"
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || stop "Node $(node --version) is too old; 20 or newer is needed"
    echo "setup: building the front end"
    (cd frontend && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build)
}

setup_browser() {
    [ -n "${MAINZDIGITAL_CHROMIUM:-}" ] && return 0
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || {
        echo "setup: installing Chromium for the browser tests"
        debian chromium fonts-dejavu-core || echo "setup: no Chromium here and no right to install it; the browser tests will skip"
    }
}

"setup_${1:?python, frontend or browser}"
