#!/bin/sh
# An agent in shell with curl: `agent.sh CALLS < question` asks so many times, each time about what was said.
set -eu
said=$(cat)
turn=0
while [ "$turn" -lt "$1" ]; do
    body=$(printf '{"model": "test-model", "max_tokens": 12, "messages": [{"role": "user", "content": "%s %s"}]}' "$said" "$turn")
    reply=$(curl --silent --show-error --fail "$OPENAI_BASE_URL/chat/completions" --data "$body" \
        --header "Authorization: Bearer $OPENAI_API_KEY" --header 'Content-Type: application/json')
    said=$(printf '%s' "$reply" | sed -n 's/.*"content": *"\([^"]*\)".*/\1/p')
    turn=$((turn + 1))
done
printf '%s\n' "$said"
