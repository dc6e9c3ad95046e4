"""A page that needs nothing else: no network, no library, no server. Texts in it are data, never markup."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

# Only our own scripts and styles may run, by their hashes; nothing may be loaded from anywhere.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{scripts}'; \
style-src '{styles}'; {connects}base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page(
    title: str,
    body: str,
    data: Any,
    script: str,
    style: str,
    *,
    scripts: Iterable[str] = (),
    styles: Iterable[str] = (),
    connects: bool = False,
) -> str:
    """The page with `data` (anything that is JSON) for its script to read.

    title: a text. body: markup of ours. scripts, styles: others of ours that frames in the page may run and show.
    connects: its script may ask the server that the page came from.
    """
    return PAGE.format(
        title=escape(title), body=body, data=_embedded(data), script=script, style=style,
        scripts="' '".join(map(_hash, (script, *scripts))), styles="' '".join(map(_hash, (style, *styles))),
        connects="connect-src 'self'; " if connects else "",
    )  # fmt: skip


def _embedded(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    dumped = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def finite(value: float) -> float | None:
    """A number as pages hold it: nine significant digits; None where JSON has no number for it."""
    return float(f"{value:.9g}") if math.isfinite(value) else None


@cache
def asset(path: Path) -> str:
    """The text of a script, a style or a body that ships with the package."""
    return path.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
