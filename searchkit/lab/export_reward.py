"""Build ``model.onnx`` for a folder of `searchkit.lab.train_reward`: a logit for every token of one text.

    python -m searchkit.lab.export_reward runs/countdown-process

Needs the `onnx` package (``pip install 'searchkit[train]'``). The graph is the policy's, see `searchkit.lab.export`,
which says where the weights are; but without a cache: a text is read whole, in one piece, and nothing follows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from searchkit.generators.embedded.checkpoint import layout, read_config, read_header
from searchkit.lab.export import FLOAT, INT32, INT64, Builder


class _Reader(Builder):
    def cache(self, layer: int) -> tuple[list[str], list[str]]:
        return ["", "", "last"], [f"k{layer}", f"v{layer}"]


def build(folder: Path) -> Any:
    """The ONNX model of the reward model in `folder`, float32; `ConfigError` where the format is not supported.

    Inputs: ids [1, T] int64, last [1] int32 (T - 1), total [] int32 (T). Output: logits [1, T, 1] float32.
    """
    sizes, (header, start) = layout(read_config(folder)), read_header(folder)
    b = _Reader(sizes, header, start)
    b.op("Add", b.linear(b.hidden(), "score"), b.stored("score.bias"), out="logits")
    inputs = [("ids", INT64, [1, "T"]), ("last", INT32, [1]), ("total", INT32, [])]
    return b.model("reward", inputs, [("logits", FLOAT, [1, "T", 1])])


def export(folder: Path) -> Path:
    """Write ``model.onnx`` beside the weights and return its path."""
    path = folder / "model.onnx"
    path.write_bytes(build(folder).SerializeToString())
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m searchkit.lab.export_reward FOLDER")
    print(export(Path(sys.argv[1])))
