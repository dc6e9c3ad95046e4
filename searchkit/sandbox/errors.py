"""Exceptions of the program: described for the way, and on the tests' side exceptions that stand for them.

A test can catch what the program raised by any class that it knows: Python's own, those of the standard library and of
packages, and the program's. Runs inside the sandbox.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

from searchkit.sandbox.wire import pack, unpack

LONGEST_MESSAGE = 2000  # characters of an exception's text
LONGEST_ARGUMENTS = 10_000  # characters of its arguments, and of its attributes, as JSON
MOST_BASES = 50  # classes of one exception
MOST_PARTS = 20  # exceptions of a group
LEAVING = (SystemExit, KeyboardInterrupt)  # no `Exception`, and caught by tests all the same
FORBIDDEN = (StopIteration, StopAsyncIteration)  # raised into a loop of a test they would silently end it
OURS = {
    "searchkit",
    "unittest",
    "_pytest",
    "pytest",
    "__main__",
    "program",
}  # whose classes say how a test ended, or differ
ATTRIBUTES = (
    "errno",
    "strerror",
    "filename",
    "name",
    "path",
    "value",
    "code",
)  # of Python's own, outside of `__dict__`

Known = list[str]  # the module and the name of a class


def is_own(kind: type) -> bool:
    """Whether the class is one of Python's own."""
    return getattr(builtins, kind.__name__, None) is kind


def known_name(kind: type) -> Known | None:
    """How a class of a module that both sides may have is known to both; None for a class of the program."""
    module, name = str(kind.__module__), kind.__qualname__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return [module, name] if found is kind and module.partition(".")[0] not in OURS else None


def known_class(known: Any) -> type[BaseException] | None:
    """The class of that name, where this process has its module: one that a program may raise in a test."""
    module, name = known
    found: Any = sys.modules.get(module) if str(module).partition(".")[0] not in OURS else None
    for part in str(name).split("."):
        found = None if found is None else vars(found).get(part)
    usable = isinstance(found, type) and issubclass(found, (Exception, *LEAVING)) and not issubclass(found, FORBIDDEN)
    return found if usable else None


def lineage(kind: type, number: Callable[[Any], int]) -> list[list[Any]]:
    """The classes of an exception that both sides need not know, the class itself first, as [number, name, bases].

    Each base is the number of such a class, or a list of the names of others, the nearest first: the other side takes
    the first that it has.
    """
    found = list[list[Any]]()
    for one in kind.__mro__:
        if known_name(one) is None and issubclass(one, BaseException):
            bases = [base for base in one.__bases__ if issubclass(base, BaseException)]
            found.append([
                number(one), one.__name__[:LONGEST_MESSAGE],
                [number(base) if known_name(base) is None else names(base) for base in bases],
            ])  # fmt: skip
    return found


def names(kind: type) -> list[Known]:
    """The class and those that it extends, as both sides know them."""
    return [known for one in kind.__mro__ if (known := known_name(one)) is not None]


def nearest(kinds: Any) -> type[BaseException]:
    """The first of the named classes that this process has, and that may be raised in a test."""
    return next((found for known in kinds[:MOST_BASES] if (found := known_class(known)) is not None), RuntimeError)


# ---------------------------------------------------------------- described


def described(error: BaseException, number: Callable[[Any], int] | None = None, depth: int = 5) -> dict[str, Any]:
    """Its name, the classes that the other side may know, the beginning of its text, its arguments if they are short.

    Its attributes, too, as far as they are short, and what it says is its cause. number: of objects that the other side
    knows by number alone, such as classes of the program. depth: how many causes of causes are described.
    """
    try:
        text = str(error)[:LONGEST_MESSAGE]
        args = _short(list(error.args))
        values = _attributes(error)
    except BaseException:
        text, args, values = "", None, {}
    chain = lineage(type(error), number) if number else []
    cause = error.__cause__ if depth else None
    return {
        "name": type(error).__name__[:LONGEST_MESSAGE],
        "kinds": names(type(error)),
        "text": text,
        "args": [text] if args is None else args,
        "values": values,
        "notes": _notes(error),
        "chain": chain,
        "theirs": getattr(type(error), "_sk_theirs", None),  # the number of a class of the tests'
        "number": number(error) if number and chain else -1,
        "parts": [described(one, number, depth - 1) for one in _grouped(error)[:MOST_PARTS]] if depth else [],
        "cause": None if cause is None else described(cause, number, depth - 1),
    }


def is_plain(error: BaseException) -> bool:
    """Whether it may cross as a value, since it can be told whole: its arguments and attributes are plain and short."""
    try:
        own = {name: value for name, value in vars(error).items() if name != "__notes__"}
        return _short([list(error.args), *own.values()]) is not None and not any(name.startswith("_") for name in own)
    except BaseException:  # the program's own code
        return False


def _notes(error: BaseException) -> list[str]:
    """The notes that were added to it, as far as they are short."""
    notes = getattr(error, "__notes__", None)
    if type(notes) is not list or not all(type(one) is str for one in notes):
        return []
    return notes if sum(map(len, notes)) <= LONGEST_ARGUMENTS else []


def _grouped(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group."""
    if not isinstance(error, BaseExceptionGroup) or type(error) not in (BaseExceptionGroup, ExceptionGroup):
        return ()
    return error.exceptions


def _attributes(error: BaseException) -> dict[str, Any]:
    own = {name: value for name in ATTRIBUTES if (value := getattr(error, name, None)) is not None}
    found = {name: _short([value]) for name, value in {**own, **vars(error)}.items() if not name.startswith("_")}
    return {name: packed[0] for name, packed in found.items() if packed is not None}


def _short(values: list[Any]) -> list[Any] | None:
    """The same for the way, if it is plain and not long."""
    try:
        packed = [pack(one, _plain) for one in values]
        return packed if len(json.dumps(packed)) <= LONGEST_ARGUMENTS else None
    except (ValueError, RecursionError):
        return None


def _plain(*value: Any) -> Any:
    raise ValueError("no plain data")


# ---------------------------------------------------------------- made again


def made(told: dict[str, Any], kind: type[BaseException] | None = None) -> BaseException:
    """The exception that was described; of the nearest class that this process has, or of `kind`."""
    kind = nearest(told["kinds"]) if kind is None else kind
    args = [unpack(one, _plain) for one in told["args"]]
    error = next(found for one in kind.__mro__ if (found := _made(one, args)) is not None)
    for name, value in told["values"].items():
        if not name.startswith("_"):
            with contextlib.suppress(AttributeError, TypeError):  # what cannot be set
                setattr(error, name, unpack(value, _plain))
    annotate(error, told["notes"])
    return error


def annotate(error: BaseException, notes: list[str]) -> None:
    """Add notes to it."""
    for note in notes:
        error.add_note(note)


def _made(kind: Any, args: list[Any]) -> BaseException | None:
    try:
        if kind.__module__ == "builtins":
            made: BaseException = kind(*args)
            return made
        error: BaseException = kind.__new__(kind, *args)  # its `__init__` may want other arguments
        error.args = tuple(args)
    except (TypeError, ValueError):  # an ExceptionGroup wants more
        return None
    return error


# ---------------------------------------------------------------- classes that stand for others


class Stand:
    """What classes that stand for the program's exceptions have: their attributes are the program's."""

    _sk_remote: Any = None
    _sk_text: str = ""

    def __getattr__(self, name: str) -> Any:
        if self._sk_remote is None or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return getattr(self._sk_remote, name)

    def __str__(self) -> str:
        return self._sk_text


def stand_in(name: str, number: int, bases: list[type], refuse: Callable[[str], Exception]) -> type:
    """A class for the program's exception class with that number, which extends the same classes as that."""

    def refused(self: Any, *args: Any, **kwargs: Any) -> None:
        raise refuse("a test cannot make an exception of a class of the program")

    body = {"_sk_number": number, "__init__": refused, "__module__": "program", "__str__": Stand.__str__}
    least = [
        one for one in dict.fromkeys(bases) if not any(one is not other and issubclass(other, one) for other in bases)
    ]
    first = () if any(issubclass(one, Stand) for one in least) else (Stand,)
    try:
        return type(name, (*first, *(least or [RuntimeError])), body)
    except TypeError:  # classes that do not go together here, where one of them is not known
        return type(name, (*first, least[0]), body)


def stood_in(kind: Any, told: dict[str, Any], remote: Any) -> BaseException:
    """An exception of a class made by `stand_in`."""
    error: Any = made(
        {**told, "values": {name: told["values"][name] for name in ATTRIBUTES if name in told["values"]}}, kind
    )
    error._sk_remote, error._sk_text = remote, told["text"]
    return error  # type: ignore[no-any-return]
