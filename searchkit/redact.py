"""What opens a door stays out of errors, logs and files."""

from __future__ import annotations

import os
import re

_IN_TEXT = re.compile(
    r"(?P<user>(?<=://)[^/@\s]+(?=@))|(?P<bearer>(?<=Bearer )[^\s'\"]+)"
    r"|(?P<query>(?<=[?&])(?P<name>[^=&\s]*(?:key|token|secret|password|signature))=[^&\s'\"]+)",
    re.IGNORECASE,
)
_KEY = "\0"  # stands for a key while the patterns are looked for: it has no space, at which they would end


def redact(text: str, *secrets: str | None) -> str:
    """`text` without `secrets`, the API key of the environment, and credentials in URLs and headers."""
    keys = [key for key in (*secrets, os.environ.get("OPENAI_API_KEY")) if key]
    for key in sorted(keys, key=len, reverse=True):  # the longer first: it may begin with the other
        text = text.replace(key, _KEY)
    hidden = _IN_TEXT.sub(lambda found: f"{found['name']}=[redacted]" if found["query"] else "[redacted]", text)
    return hidden.replace(_KEY, "[api key]")
