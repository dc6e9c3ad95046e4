"""Code objects on their way to the tests' process: a test is compiled once, and not for each program.

Runs inside the sandbox, too.
"""

from __future__ import annotations

import importlib.util
import marshal
from types import CodeType

FILE = "<test>"
LONGEST = 20_000  # characters of a text that is compiled outside
_KIND = importlib.util.MAGIC_NUMBER.hex()


def packed(text: str) -> str:
    """The code of a test as text; "" for one that is to be compiled inside, within limits, or not at all.

    A body of `finally` is compiled several times, so that nested ones take time that is exponential in their depth.
    """
    if len(text) > LONGEST or "finally" in text:
        return ""
    try:
        code = compile(text, FILE, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return ""
    return _KIND + marshal.dumps(code).hex()


def unpacked(code: str) -> CodeType | None:
    """None where there is none, or where this Python is not the one that made it."""
    if not code.startswith(_KIND):
        return None
    found: CodeType = marshal.loads(bytes.fromhex(code.removeprefix(_KIND)))
    return found
