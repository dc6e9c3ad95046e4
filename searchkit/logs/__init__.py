"""Logs of other tools, in and out: somebody's samples become a pool, and ours open in their viewers.

In: read `logged.py` first (what is read of a log, and how), then `reading.py`, which finds the form of a file and makes
the pool. One form a file: `inspect_log.py`, `lm_eval.py`, `openai_batch.py`, `monkeys.py`, and `json_lines.py` with
`fields.py` for a file of your own. All of them read through `bounded.py`, since no file is trusted.

Out: `parts.py` is what is written, a run with its manifest; `writing.py` writes it, as a log (`inspect_out.py`), as a
table (`tables.py`), or for experiment trackers (`trackers.py`).
"""

from searchkit.logs.fields import FieldNames
from searchkit.logs.logged import How
from searchkit.logs.reading import READERS, Imported, import_log, read_log
from searchkit.logs.writing import WRITERS, write_log

__all__ = [
    "READERS",
    "WRITERS",
    "FieldNames",
    "How",
    "Imported",
    "import_log",
    "read_log",
    "write_log",
]
