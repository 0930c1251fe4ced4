# Sourced by the scripts beside it: makes .venv and installs what is missing. Safe to run again.
#
# prepare EXTRAS   EXTRAS is "" for users, "[dev]" for the tests; sets VENV to the environment's bin.

set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.10 python3.14 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "error: no Python 3.10 or newer was found"
    say "hint: install one, or name it: PYTHON=/path/to/python3 $0"
    exit 3
}

# What is installed is remembered by the text of pyproject.toml and the extras, a line for each.
fingerprint() { printf '%s %s\n' "$(cksum <pyproject.toml)" "$1"; }

install() {
    "$1" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=24'
    "$1" -m pip install --quiet --disable-pip-version-check --editable ".$2"
}

prepare() {
    venv=.venv
    VENV=$venv/bin
    if [ ! -x "$VENV/python" ] || ! "$VENV/python" -c '' 2>/dev/null; then
        python=$(find_python)
        say "making a virtual environment in $venv with $("$python" --version)"
        if ! "$python" -m venv --clear "$venv"; then
            say "error: $python cannot make a virtual environment"
            say "hint: on Debian and Ubuntu: apt-get install python3-venv"
            exit 3
        fi
    fi
    stamp=$venv/.installed
    if ! grep -qxF "$(fingerprint "$1")" "$stamp" 2>/dev/null; then
        say "installing iotauth$1 and what it needs (once; a minute or two)"
        install "$VENV/python" "$1"
        if [ -n "$1" ]; then fingerprint "" >>"$stamp"; fi  # a full set serves the small one too
        fingerprint "$1" >>"$stamp"
    fi
}
