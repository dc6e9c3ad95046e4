"""HumanEval: functions to be completed, judged by running their tests (Chen et al. 2021)."""

from __future__ import annotations

from searchkit.datasets.dataset import Dataset, fill
from searchkit.datasets.files import Row, Source, rows
from searchkit.types import Problem, Prompt
from searchkit.verifiers.code.unit_tests import UnitTests

SHA256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2"
"""Of ``HumanEval.jsonl.gz``, unpacked, 164 problems, as in the repository openai/human-eval."""

TEMPLATE = """Complete this Python function. Reply with the whole program, imports included, in one code block.

```python
{question}
```"""


def humaneval(source: Source, *, checksum: str | None = SHA256, template: str = TEMPLATE) -> Dataset:
    """The problems of ``data/HumanEval.jsonl.gz``, or of another file of that form.

    The reference is the record's `prompt`, `test` and `entry_point`, which `UnitTests` reads; the canonical solution is
    left out. Raises `ConfigError` as `searchkit.datasets.files.rows` does, and where `UnitTests` finds no sandbox.
    """
    problems = (
        Problem(row.text("task_id"), Prompt.of(fill(template, row.text("prompt").strip())), _tests(row))
        for row in rows(source, checksum)
    )
    return Dataset("humaneval", tuple(problems), UnitTests())


def _tests(row: Row) -> dict[str, str]:
    return {name: row.text(name) for name in ("prompt", "test", "entry_point")}
