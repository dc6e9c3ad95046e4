"""Build ``model.onnx`` for a folder of `searchkit.lab.train_reward`: a logit for every token of one text.

    python -m searchkit.lab.export_reward runs/countdown-process

Needs the `onnx` package (``pip install 'searchkit[train]'``). The graph is the policy's, see `searchkit.lab.export`,
which says where the weights are; but without a cache: a text is read whole, in one piece, and nothing follows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from searchkit.lab.checkpoint import fingerprint, layout, read_config, read_header
from searchkit.lab.export import FLOAT, INT32, INT64, _Builder


class _Reader(_Builder):
    def attention(self, x: str, layer: int) -> str:
        at, name = f"model.layers.{layer}.self_attn.", f"attention_{layer}"
        packed = self.linear(x, at + "q_proj", at + "k_proj", at + "v_proj")
        inputs = [packed, "", "", "", "", "last", "total", "cos", "sin"]
        heads = {"num_heads": self.sizes.heads, "kv_num_heads": self.sizes.kv_heads, "do_rotary": 1}
        outputs = [name, f"k{layer}", f"v{layer}"]
        self.nodes.append(
            helper.make_node("GroupQueryAttention", inputs, outputs, name=name, domain="com.microsoft", **heads)
        )
        return self.linear(name, at + "o_proj")


def build(folder: Path) -> Any:
    """The ONNX model of the reward model in `folder`, float32; `ConfigError` where the format is not supported.

    Inputs: ids [1, T] int64, last [1] int32 (T - 1), total [] int32 (T). Output: logits [1, T, 1] float32.
    """
    sizes, (header, start) = layout(read_config(folder)), read_header(folder)
    b = _Reader(sizes, header, start)
    angles = np.outer(np.arange(sizes.context), sizes.theta ** -(np.arange(0, sizes.head, 2) / sizes.head))
    b.constant("cos", np.cos(angles).astype(np.float32))
    b.constant("sin", np.sin(angles).astype(np.float32))
    x = b.op("Gather", b.stored("model.embed_tokens.weight"), "ids")
    for layer in range(sizes.layers):
        at = f"model.layers.{layer}."
        x = b.op("Add", x, b.attention(b.norm(x, at + "input_layernorm"), layer))
        x = b.op("Add", x, b.mlp(b.norm(x, at + "post_attention_layernorm"), layer))
    b.op("Add", b.linear(b.norm(x, "model.norm"), "score"), b.stored("score.bias"), out="logits")
    inputs = [("ids", INT64, [1, "T"]), ("last", INT32, [1]), ("total", INT32, [])]
    graph = helper.make_graph(
        b.nodes,
        "reward",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info("logits", FLOAT, [1, "T", 1])],
        list(b.weights.values()),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="searchkit")
    helper.set_model_props(model, {"fingerprint": fingerprint(sizes, header)})
    return model


def export(folder: Path) -> Path:
    """Write ``model.onnx`` beside the weights and return its path."""
    path = folder / "model.onnx"
    path.write_bytes(build(folder).SerializeToString())
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m searchkit.lab.export_reward FOLDER")
    print(export(Path(sys.argv[1])))
