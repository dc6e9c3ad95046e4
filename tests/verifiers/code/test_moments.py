"""Dates and times of a program: with their zones, and the hour that comes twice. The oracle is plain Python."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed

HEAD = "from datetime import datetime, time, timedelta, timezone\nfrom zoneinfo import ZoneInfo\n"
PARIS = "def f(): return datetime(2020, 7, 1, tzinfo=ZoneInfo('Europe/Paris'))"
NAMED = "def f(): return datetime(2020, 7, 1, tzinfo=timezone(timedelta(hours=-5), 'EST'))"
OWN = "class Zone(__import__('datetime').tzinfo):\n    def utcoffset(self, at): return timedelta(hours=3)\n"
OWN += "    def tzname(self, at): return 'MINE'\ndef f(): return datetime(2020, 7, 1, tzinfo=Zone())"


@pytest.mark.parametrize(
    ("test", "program"),
    [
        ("assert f().fold == 1", "def f(): return datetime(2020, 7, 1, fold=1)"),
        ("assert f().fold == 0", "def f(): return datetime(2020, 7, 1, fold=1)"),
        ("assert f() == time(1, 2, fold=1) and f().fold == 1", "def f(): return time(1, 2, fold=1)"),
        ("assert f().tzinfo.key == 'Europe/Paris'", PARIS),
        ("assert f().tzinfo is ZoneInfo('Europe/Paris')", PARIS),
        ("assert (f() + timedelta(days=180)).utcoffset() == timedelta(hours=1)", PARIS),
        ("assert (f() + timedelta(days=180)).utcoffset() == timedelta(hours=2)", PARIS),
        ("assert f().tzname() == 'EST'", NAMED),
        ("assert f().tzname() == 'UTC-05:00'", NAMED),
        ("assert f().tzname() == 'UTC-05:00'", NAMED.replace(", 'EST'", "")),
        ("assert f().tzinfo is timezone.utc", "def f(): return datetime(2020, 7, 1, tzinfo=timezone.utc)"),
        ("assert f() == ZoneInfo('UTC')", "def f(): return ZoneInfo('UTC')"),
        ("assert f() == ZoneInfo('Europe/Rome')", "def f(): return ZoneInfo('Europe/Paris')"),
        ("assert f() == timezone(timedelta(hours=2))", "def f(): return timezone(timedelta(hours=2))"),
        ("assert f().utcoffset() == timedelta(hours=3) and f().tzname() == 'MINE'", OWN),
        (
            "assert f(datetime(2020, 10, 24, 12, tzinfo=ZoneInfo('Europe/Paris'))).utcoffset() == timedelta(hours=1)",
            "def f(d): return d + timedelta(days=2)",
        ),
        ("assert f(datetime(2020, 10, 25, 2, 30, fold=1)) == 1", "def f(d): return d.fold"),
        ("assert f({'at': time(3, tzinfo=ZoneInfo('UTC'))}) == 'UTC'", "def f(d): return d['at'].tzinfo.key"),
    ],
)
def test_zones_and_folds_cross(test: str, program: str) -> None:
    names: dict[str, object] = {}
    exec(HEAD + program, names)
    try:
        exec(HEAD + test, names)
        right = True
    except AssertionError:
        right = False
    assert passed((HEAD + test,), HEAD + program) is right
