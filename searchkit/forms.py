"""What an answer must be like, as a request says it: fields of OpenAI's chat API, as JSON text."""

from __future__ import annotations

import json
from typing import Any

from searchkit.errors import CapabilityError, ConfigError
from searchkit.kinds import innermost, told

FIELDS = ("response_format", "tool_choice", "parallel_tool_calls")


def read(form: str) -> dict[str, Any]:
    """The fields of a form. Raises `ConfigError` for what is none.

    >>> read('{"response_format": {"type": "json_object"}}')
    {'response_format': {'type': 'json_object'}}
    """
    if not isinstance(form, str):
        raise ConfigError(f'a form is JSON text: json.dumps({{"response_format": ...}}), got {told(form)}')
    try:
        fields = json.loads(form) if form else {}
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"a form is JSON text such as that of json.dumps, got {form!r:.80}: {error}") from None
    if not isinstance(fields, dict) or not fields.keys() <= set(FIELDS):
        raise ConfigError(
            f"a form is a JSON object with fields among {', '.join(FIELDS)}, got {form!r:.80}: what else a server "
            "takes is sent by OpenAI(extra_body=...)"
        )
    return fields


def takes_form(source: Any) -> bool:
    """Whether `source`, or the backend that it wraps, tells its model what an answer must be like.

    A backend says that it does with an attribute ``takes_form = True``.
    """
    return getattr(innermost(source), "takes_form", False) is True


def check_form(source: Any) -> None:
    """`CapabilityError` if `source` cannot tell its model of a form."""
    if not takes_form(source):
        raise CapabilityError(
            f"{getattr(source, 'name', type(source).__name__)} cannot be told what an answer must be like: use "
            'OpenAI(..., route="chat") as the backend, or Params(form="")'
        )
