#!/usr/bin/env bash
# A virtual environment with the libraries that searchkit is compared with, and searchkit itself:
#
#   tools/peers_env.sh DIR           creates DIR, or completes and updates it; safe to run again
#   DIR/bin/python benchmarks/worlds_peers.py > peers.jsonl
#
#   tools/peers_env.sh DIR agents    the same, and those of benchmarks/agent_peers.py: 220 MB more
#
# Python 3.11 or later (PYTHON names the interpreter, default python3). Takes 400 MB of disk and a minute.
set -euo pipefail

peers=(treequest==0.3.3 its_hub==1.2.0)
modules="treequest, its_hub, searchkit.testing.worlds"
script="worlds_peers.py"

[[ $# -ge 1 && $# -le 2 && $1 != -* && ${2:-agents} == agents ]] || {
    echo "usage: $0 DIR [agents]   (DIR is the folder of the virtual environment, e.g. ~/peers)" >&2
    exit 2
}
if [[ $# -eq 2 ]]; then
    peers+=(saplings==6.2.0 agent-mcts==0.1.0)
    modules+=", agent_mcts"
    script="agent_peers.py --json"
fi
dir=$1
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

checked
made
step "${peers[*]}"
"$dir/bin/pip" install --quiet "${peers[@]}"
step "searchkit from $root"
# Without what it needs elsewhere: worlds need the standard library alone, and peers may want other versions.
"$dir/bin/pip" install --quiet --no-deps -e "$root"
step "import"
"$dir/bin/python" -c "import $modules" ||
    fail "the packages are installed but do not import: remove $dir and run this again"
echo "ready: $dir/bin/python benchmarks/$script > peers.jsonl"
