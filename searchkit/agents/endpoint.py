"""Endpoint: a URL of its own for each attempt, for agents that call models by HTTP in whatever way."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from searchkit.agents.withheld import secrets_of

_ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d+/r/[\w-]{32}(?:/|$)")
LEAST_SECRET = 8  # characters of a value that is looked for in others


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model calls of one attempt go: through the search, which counts them, to the real server.

    Handed to a function that declares a parameter of this type. It works until the attempt ends; then calls get 410.

    - base_url: for clients of OpenAI's API, with its ``/v1``.
    - anthropic_url: for clients of Anthropic's, without.
    - api_key: what clients send as their key. It opens this endpoint and nothing else.
    - secrets: values that no child process is given.
    """

    base_url: str
    anthropic_url: str
    api_key: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment for a child process: `base` without keys, with this endpoint under the names that SDKs read.

        Left out are variables whose names say that they hold a key, token, secret, password or session, those whose
        values look like a key or hold a password (``postgres://me:password@host``), and all that hold a value of one of
        these, among other text too; not where that value is the path of a file or folder. 127.0.0.1 is reached past any
        proxy. base: None for this process's own environment.

        >>> found = Endpoint("http://h/r/t/v1", "http://h/r/t", "t").environment({"LANG": "C", "HF_TOKEN": "abcdefgh"})
        >>> found["LANG"], found["OPENAI_BASE_URL"], "HF_TOKEN" in found
        ('C', 'http://h/r/t/v1', False)
        """
        given = dict(os.environ if base is None else base)
        named, found = secrets_of(given)
        values = found | {*self.secrets}
        hidden = tuple(value for value in values if len(value) >= LEAST_SECRET)
        kept = {
            name: value
            for name, value in given.items()
            if name not in named and not any(secret in value for secret in hidden)
        }
        beside = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1")))
        return kept | {
            "NO_PROXY": beside,  # a proxy would look for this endpoint on its own machine
            "no_proxy": beside,
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_BASE": self.base_url,
            "OPENAI_API_KEY": self.api_key,
            "ANTHROPIC_BASE_URL": self.anthropic_url,
            "ANTHROPIC_API_KEY": self.api_key,
        }


def is_endpoint(url: str) -> bool:
    """Whether `url` is one of an attempt: what is called there is counted there.

    >>> is_endpoint("http://127.0.0.1:4000/r/0123456789abcdef0123456789abcdef/v1/models"), is_endpoint("http://h/v1")
    (True, False)
    """
    return _ENDPOINT.match(url) is not None
