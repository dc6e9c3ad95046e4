# What the scripts that make virtual environments share, sourced by them with `dir` set: fail, step, checked, made.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
step() { echo "== $*"; }

checked() { # whether this Python and this folder will do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "searchkit needs Python 3.11 or later: set PYTHON to one"
    [[ ! -e $dir || -f $dir/pyvenv.cfg || -z $(ls -A "$dir") ]] ||
        fail "$dir exists and is no virtual environment: name another folder"
}

made() { # the environment, if it is not there
    [[ ! -x $dir/bin/pip ]] || return 0
    step "virtual environment in $dir"
    "$python" -m venv "$dir"
}
