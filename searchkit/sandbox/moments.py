"""Dates, times and zones as plain data: with the fold of an hour that comes twice, and zones by their names.

Runs inside the sandbox; never imports zoneinfo before somebody else needed it there.
"""

from __future__ import annotations

import importlib
from datetime import datetime, time, timedelta, timezone
from typing import Any


class Zone:
    """Stands for `zoneinfo.ZoneInfo`, which may not be loaded here."""


ZONE, OFFSET = "zone", "offset"  # kinds of zones: by the name in the database, by what is added to UTC


def parts(at: Any) -> list[Any]:
    """Of a datetime or a time."""
    return [at.replace(tzinfo=None).isoformat(), at.fold, *_zone(at)]


def made(kind: type[datetime] | type[time], told: list[Any]) -> Any:
    """The datetime or the time."""
    plain, fold, *zone = told
    return kind.fromisoformat(plain).replace(fold=fold, tzinfo=_zone_made(zone))


def is_zone(value: Any) -> bool:
    """Whether it is a `ZoneInfo` with a name."""
    return type(value).__module__ == "zoneinfo" and isinstance(getattr(value, "key", None), str)


def zone_parts(zone: Any) -> list[Any]:
    """Of a zone from the database."""
    return [zone.key]


def zone(told: list[Any]) -> Any:
    """The zone with that name."""
    return _zone_made([ZONE, *told])


def offset_parts(zone: timezone) -> list[Any]:
    """Of a fixed offset: seconds, and its name if it was given one."""
    offset = zone.utcoffset(None)
    name = zone.tzname(None)
    return [offset.total_seconds(), None if name == timezone(offset).tzname(None) else name]


def offset(told: list[Any]) -> timezone:
    """The fixed offset."""
    seconds, name = told
    added = timedelta(seconds=seconds)
    return timezone(added) if name is None else timezone(added, name)


def _zone(at: Any) -> list[Any]:
    """A zone of a class of the program's own is what it adds to UTC then."""
    if at.tzinfo is None:
        return []
    if is_zone(at.tzinfo):
        return [ZONE, at.tzinfo.key]
    if type(at.tzinfo) is timezone:
        return [OFFSET, *offset_parts(at.tzinfo)]
    added = at.utcoffset()
    return [] if added is None else [OFFSET, added.total_seconds(), at.tzname()]


def _zone_made(told: list[Any]) -> Any:
    if not told:
        return None
    kind, *rest = told
    return importlib.import_module("zoneinfo").ZoneInfo(*rest) if kind == ZONE else offset(rest)
