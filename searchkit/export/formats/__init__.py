"""Formats: how trainers want their rows. `shape.py` first, then a file a family of trainers.

`trl.py` is TRL's six, `chats.py` ShareGPT and axolotl, `reinforcement.py` verl, OpenRLHF and two plain ones.
"""

from searchkit.export.formats.chats import CHATS
from searchkit.export.formats.reinforcement import REINFORCEMENT
from searchkit.export.formats.shape import Format, Shape, Unfit
from searchkit.export.formats.trl import TRL

FORMATS: dict[str, Format] = {**TRL, **CHATS, **REINFORCEMENT}

__all__ = ["FORMATS", "Format", "Shape", "Unfit"]
