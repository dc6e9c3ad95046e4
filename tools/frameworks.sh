#!/usr/bin/env bash
# Virtual environments with the frameworks whose agents searchkit is tested with, and searchkit itself:
#
#   tools/frameworks.sh DIR openai3    creates DIR, or completes and updates it; safe to run again
#   DIR/bin/pytest -m 'slow or not slow' tests/agents/frameworks
#
#   tools/frameworks.sh DIR openai2    those that want OpenAI's client before 3, in a folder of their own
#
# Python 3.11 or later (PYTHON names the interpreter, default python3). What cannot be installed is named at the end;
# its tests are skipped, and say so.
set -euo pipefail

case "$#${2:-} ${1:-}" in
    2openai3\ [!-]*)
        wanted=(openai-agents "pydantic-ai-slim[openai]" langgraph langchain-openai "smolagents[openai]" dspy litellm
            autogen-agentchat "autogen-ext[openai]" haystack-ai inspect-ai mini-swe-agent "openai>=3") ;;
    2openai2\ [!-]*)
        wanted=(crewai llama-index-core llama-index-llms-openai-like "openai<3") ;;
    *)
        echo "usage: $0 DIR openai3|openai2   (DIR is the folder of the virtual environment, e.g. ~/frameworks3)" >&2
        exit 2 ;;
esac
dir=$1
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

checked
made
step "${wanted[*]}"
missing=()
if ! "$dir/bin/pip" install --quiet "${wanted[@]}"; then
    for package in "${wanted[@]}"; do # all but those that cannot be had
        "$dir/bin/pip" install --quiet "$package" || missing+=("$package")
    done
fi
step "searchkit from $root"
"$dir/bin/pip" install --quiet -e "$root[serve]" pytest pytest-xdist hypothesis
step "installed on $(date -u +%F)"
"$dir/bin/python" - "${wanted[@]}" <<'PYTHON'
import importlib.metadata
import re
import sys

for wanted in sys.argv[1:]:
    name = re.match(r"[\w-]+", wanted)[0]
    try:
        print(f"{name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        print(f"{name} IS MISSING")
PYTHON
((${#missing[@]} == 0)) || step "COULD NOT BE INSTALLED: ${missing[*]}"
echo "ready: $dir/bin/pytest -m 'slow or not slow' tests/agents/frameworks"
