"""Which variables of an environment hold a secret: by the words of their names, and by what their values look like."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_STRONG = (
    "KEY", "KEYS", "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWORDS", "PASSWD", "PASSPHRASE", "PASSCODE",
    "CREDENTIAL", "CREDENTIALS", "CREDS", "AUTHORIZATION", "BEARER", "JWT",
)  # fmt: skip
_WEAK = ("PASS", "PWD", "AUTH", "COOKIE", "COOKIES", "SIGNATURE")
_WHOLE = frozenset(
    (*_STRONG, *_WEAK, "CRED", "PAT", "SESSION", "SESSIONS", "PRIVATE", "HEADER", "HEADERS", "DSN", "SAS", "OTP")
)
_ENGLISH = frozenset(
    (
        "MONKEY", "DONKEY", "TURKEY", "HOCKEY", "JOCKEY", "WHISKEY", "BYPASS", "COMPASS", "ENCOMPASS", "OVERPASS",
        "UNDERPASS", "TRESPASS", "SURPASS", "HOTKEY", "HOTKEYS",
    )
)  # fmt: skip
_NEEDED = re.compile(
    r"(?:OLD)?PWD|SSH_AUTH_SOCK|XDG_\w+|I?TERM_SESSION_ID|DESKTOP_SESSION|SESSION_MANAGER|DBUS_SESSION_BUS_\w+"
    r"|WT_SESSION|GIO_LAUNCHED\w*"
)
_LOOKS = re.compile(
    r"://[^/\s:@?#]*:[^/\s@]+@|://[^/\s:@?#]{16,}@"  # a URL with a password, or with a token for a name
    r"|(?i:\b(?:password|passwd|pwd|accountkey|sharedaccesskey|api[-_]?key|access[-_]?token|client[-_]?secret)\s*[=:]\s*\S)"
    r"|(?i:\b(?:bearer|basic)\s+[\w.~+/=-]{8,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|(?<![\w/.-])(?:"
    r"sk-(?=[\w-]*\d)[\w-]{8,}|sk-[\w-]{16,}|[rs]k_(?:live|test)_\w{6,}|gh[opsur]_\w{10,}|github_pat_\w{10,}|hf_\w{10,}"
    r"|A[KS]IA[0-9A-Z]{12,}|eyJ[\w-]{6,}\.[\w-]{4,}|xox[abeoprs]-[\w-]{8,}|AIza[\w-]{20,}|gsk_\w{10,}|glpat-[\w-]{10,}"
    r"|npm_\w{20,}|pypi-\w{16,}|r8_\w{16,}|pplx-\w{10,}|xai-\w{10,}|nvapi-[\w-]{10,}|tvly-[\w-]{10,}|ya29\.[\w-]{10,}"
    r"|SG\.[\w-]{16,})"
)
_LONGEST = 100_000  # characters of a value that are looked at; what is longer is left out


def named_secret(name: str, value: str) -> bool:
    """Whether a variable's name says that it holds a secret. value: the path of something that exists is none, where
    the name may mean other things too.

    >>> [named_secret(name, "x") for name in ("MISTRAL_KEY_EU", "openAiKey", "DB_PASS", "KEYBOARD", "PWD")]
    [True, True, True, False, False]
    """
    if _NEEDED.fullmatch(name):
        return False
    words = [word.upper() for word in _WORD.findall(name)]
    strong = [word for word in words if word.endswith(_STRONG) and word not in _ENGLISH]
    if strong or any(sign in "".join(words) for sign in ("APIKEY", "ACCESSKEY")):
        return True
    weak = [word for word in words if (word in _WHOLE or word.endswith(_WEAK)) and word not in _ENGLISH]
    return bool(weak) and not _path(value)


def looks_secret(value: str) -> bool:
    """Whether a value looks like a key, or holds a password.

    >>> looks_secret("postgres://me:hunter2@db/x"), looks_secret("AKIAIOSFODNN7EXAMPLE"), looks_secret("/usr/bin:/bin")
    (True, True, False)
    """
    return len(value) > _LONGEST or (_LOOKS.search(value) is not None and not _path(value))


def secrets_of(environment: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """The names of the variables that hold secrets, and the values among these that are no paths."""
    names = {name for name, value in environment.items() if named_secret(name, value) or looks_secret(value)}
    return names, {environment[name] for name in names if not _path(environment[name])}


def _path(value: str) -> bool:
    try:
        return os.path.exists(value)
    except ValueError:  # a zero byte, say
        return False
