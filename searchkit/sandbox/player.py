"""The program's process: executes a program, then answers calls of its functions, or lets it read stdin as a script.

Nothing here is trusted: the program can change all of it. It never sees a test or an expected value, only arguments,
and its answers are plain data that is compared elsewhere; so there is nothing to forge. Runs inside the sandbox.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import operator
import socket
import sys
import types
from collections import deque
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.wire import FUNCTION, OBJECT, pack, receive, send, unpack

LONGEST_MESSAGE = 200  # characters of an exception's text
MUTABLE = (list, dict, set, bytearray, deque)
OPERATIONS: dict[str, Callable[..., Any]] = {
    "get": getattr, "item": operator.getitem, "len": len, "str": str, "repr": repr, "iter": iter,
    "following": lambda iterator: list(itertools.islice(iterator, 1)),  # empty at the end
}  # fmt: skip


def sources(text: str, prompt: str, entry_point: str) -> list[str]:
    """What is executed, in this order: the prompt and a whole program, or the prompt as the program continues it."""
    if not prompt:
        return [text]
    try:
        found = {name for node in ast.parse(text).body for name in _defined(node)}
    except (SyntaxError, ValueError):
        found = set()
    return [preamble(prompt), text] if entry_point in found else [prompt + text]


def preamble(prompt: str) -> str:
    """The beginning of a program as a program: a function whose body is missing does nothing."""
    try:
        ast.parse(prompt)
    except SyntaxError:
        return prompt.rstrip() + "\n    pass\n"
    return prompt


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def execute(job: dict[str, Any], name: str) -> types.ModuleType:
    """The program as a module of that name. Raises what it raises."""
    module = sys.modules[name] = types.ModuleType(name)
    for source in sources(job["text"], job["prompt"], job["entry_point"]):
        exec(compile(source, "program.py", "exec"), module.__dict__)
    return module


def script(job: dict[str, Any]) -> None:
    """Run the program as `python program.py` would; leaves by what it raises."""
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    execute(job, "__main__")


def play(channel: socket.socket, job: dict[str, Any]) -> None:
    """Execute the program, say how that went, and answer requests until the channel ends."""
    player = Player(channel, job["most"])
    try:
        player.objects.append(execute(job, "program"))
    except BaseException as error:
        send(channel, described(error))
        return
    send(channel, ["value", None, []])
    while True:
        player.answer(receive(channel, sys.maxsize))


def described(error: BaseException) -> list[str]:
    """An exception as a message: its name, the nearest kind that Python itself has, and the beginning of its text."""
    kinds = [kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind]
    try:
        text = str(error)[:LONGEST_MESSAGE]
    except BaseException:
        text = ""
    return ["error", type(error).__name__[:LONGEST_MESSAGE], kinds[0], text]


class Player:
    """Answers requests of the tests' process, which knows the objects of this one by number."""

    def __init__(self, channel: socket.socket, most: int) -> None:
        self.channel: socket.socket = channel
        self.most: int = most
        self.objects: list[Any] = []

    def answer(self, request: list[Any]) -> None:
        try:
            operation, *packed = request
            arguments = [unpack(item, self.known) for item in packed]
            if operation == "call":
                function, positional, named = arguments
                reply = ["value", self.pack(function(*positional, **named)), self.changes(packed[1], positional)]
            else:
                reply = ["value", self.pack(OPERATIONS[operation](*arguments)), []]
        except BaseException as error:
            reply = described(error)
        send(self.channel, reply)

    def changes(self, before: list[Any], arguments: list[Any]) -> list[Any]:
        """What the call made of its mutable arguments, as [position, value]: the caller sees it, as in one process."""
        after = [[i, self.pack(one)] for i, one in enumerate(arguments) if isinstance(one, MUTABLE)]
        return [[i, packed] for i, packed in after if packed != before[i]]

    def pack(self, value: Any) -> Any:
        return pack(value, self.number)

    def number(self, value: Any) -> dict[str, int]:
        self.objects.append(value)
        return {OBJECT: len(self.objects) - 1}

    def known(self, tag: str, number: int) -> Any:
        """An object of this process, or a function of the tests' that calls back."""
        return self.objects[number] if tag == OBJECT else lambda *args, **kwargs: self.call_back(number, args, kwargs)

    def call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        send(self.channel, [FUNCTION, number, self.pack(list(args)), self.pack(kwargs)])
        while True:
            message = receive(self.channel, sys.maxsize)
            if message[0] == "value":
                return unpack(message[1], self.known)
            if message[0] == "error":
                raise getattr(builtins, message[2])(message[3])
            self.answer(message)  # the function called the program in turn
