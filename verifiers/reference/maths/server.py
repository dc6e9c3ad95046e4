"""The inside of the maths worker: reads pairs of answers from stdin, writes outcomes to stdout, limits itself.

Messages are JSON with a length of four bytes in front. It evaluates nothing that it reads: texts go through our parser,
and with the argument --math-verify, where that cannot read them, through the parser of that package. Whatever goes
wrong with a pair makes it unknown; what overruns the limits kills the process, and the parent takes a new one. It ends
when its stdin does.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import time
from typing import IO, Any

from searchkit.answers.boxes import Several
from searchkit.verifiers.reference.maths.answer import judge, read, unread
from searchkit.verifiers.reference.maths.other import MathVerify
from searchkit.verifiers.reference.maths.outcome import Algebra, Outcome
from searchkit.verifiers.reference.maths.two_readings import Unreadable

HEADER = struct.Struct(">I")
MEMORY = 2**30
"""Bytes of address space that the worker may have; beyond that an answer is unknown."""
CPU_SECONDS = 5
"""CPU time for one pair, should nobody be left to kill the worker: well above the parent's limit of wall time."""


def send(stream: IO[bytes], message: Any) -> None:
    """One message."""
    body = json.dumps(message).encode()
    stream.write(HEADER.pack(len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message; None at the end of the stream, also in the middle of a message."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    [length] = HEADER.unpack(header)
    body = stream.read(length)
    return json.loads(body) if len(body) == length else None


def serve(math_verify: bool) -> None:
    """Answer until stdin ends."""
    from searchkit.verifiers.reference.maths.symbolic import Symbolic

    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but replies may go to the pipe
    other = MathVerify() if math_verify else None
    for lazy in ("\\sin^2 x + \\cos^2 x", "\\int_0^1 2x \\, dx"):  # loads what sympy itself loads lazily
        judge_pair(lazy, "1", Symbolic(), other)
    limit_memory()
    send(replies, "ready")
    while (pair := receive(requests)) is not None:
        limit_cpu()
        a, b = (Several(one) if isinstance(one, list) else one for one in pair)
        send(replies, judge_pair(a, b, Symbolic(), other))


def judge_pair(a: str | Several, b: str | Several, algebra: Algebra, other: MathVerify | None = None) -> Outcome:
    """The outcome for the reference a and an answer b; unknown if something goes wrong."""
    left, right = read(a), read(b)
    if left is None or right is None:
        return Outcome(None, "there is no answer")
    try:
        outcome = judge(left, right, algebra)
        if outcome.equal is None and other is not None and unread(left, right):
            return other.compare(left.text, right.text, outcome.reason)
        return outcome
    except Unreadable as error:
        return Outcome(None, str(error))
    except MemoryError:
        return Outcome(None, "it needs too much memory")
    except Exception as error:  # sympy raises whatever it likes, for instance RecursionError
        return Outcome(None, f"sympy failed with {type(error).__name__}")


def limit_memory() -> None:
    """Where the system has such limits; no core files, no files at all."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in (("RLIMIT_AS", MEMORY), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        try:
            resource.setrlimit(getattr(resource, what), (most, most))
        except (AttributeError, ValueError, OSError):  # macOS has no say over address space
            continue


def limit_cpu() -> None:
    """`CPU_SECONDS` from now on, after which the kernel kills us."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    most = math.ceil(time.process_time()) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    serve("--math-verify" in sys.argv[1:])
