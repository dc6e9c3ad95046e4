"""Build ``model.onnx`` for a Hugging Face Llama folder: the graph alone; the weights stay in ``model.safetensors``.

    python -m searchkit.lab.export runs/countdown

Needs the `onnx` package (``pip install 'searchkit[train]'``). Every weight is an ONNX external tensor that points into
the safetensors file by offset, so there is one copy on disk; ONNX Runtime transposes and packs the matrices once, when
the session is opened (constant folding, then prepacking).

The decoder keeps its key-value cache in place: `GroupQueryAttention` is given the same buffer as past and as present.
Letters: B rows, T new tokens a row, L context, H key-value heads, D head width, V vocabulary.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from searchkit.errors import ConfigError
from searchkit.generators.embedded.checkpoint import Layout, fingerprint, layout, read_config, read_header

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64


class Builder:
    """Collects nodes and weights; each method that adds an operation returns the name of its result."""

    def __init__(self, sizes: Layout, header: dict[str, Any], start: int) -> None:
        self.sizes, self.header, self.start = sizes, header, start
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def stored(self, name: str) -> str:
        """A tensor of the safetensors file."""
        if name not in self.header:
            raise ConfigError(f"model.safetensors has no {name}: name a Hugging Face Llama folder")
        entry = self.header[name]
        if entry["dtype"] != "F32":
            raise ConfigError(f"{name} is {entry['dtype']}: save the checkpoint in float32")
        tensor = TensorProto(name=name, data_type=FLOAT, dims=entry["shape"], data_location=TensorProto.EXTERNAL)
        first, last = entry["data_offsets"]
        where = {"location": "model.safetensors", "offset": self.start + first, "length": last - first}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        self.weights[name] = tensor
        return name

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        self.weights[name] = numpy_helper.from_array(value, name)
        return name

    def linear(self, x: str, *names: str) -> str:
        """x @ W.T for the given weights side by side; the weights' part is folded when the session is opened."""
        stacked = [self.stored(f"{name}.weight") for name in names]
        joined = stacked[0] if len(stacked) == 1 else self.op("Concat", *stacked, axis=0)
        return self.op("MatMul", x, self.op("Transpose", joined, perm=[1, 0]))

    def norm(self, x: str, name: str) -> str:
        weight, epsilon = self.stored(f"{name}.weight"), self.sizes.epsilon
        return self.op("SimplifiedLayerNormalization", x, weight, axis=-1, epsilon=epsilon)

    def cache(self, layer: int) -> tuple[list[str], list[str]]:
        """Where a layer's past keys, past values and row lengths come from, and where its keys and values go."""
        return [f"past_k{layer}", f"past_v{layer}", "lengths"], [f"present_k{layer}", f"present_v{layer}"]

    def attention(self, x: str, layer: int) -> str:
        at = f"model.layers.{layer}.self_attn."
        packed = self.linear(x, at + "q_proj", at + "k_proj", at + "v_proj")
        name, (past, present) = f"attention_{layer}", self.cache(layer)
        self.nodes.append(
            helper.make_node(
                "GroupQueryAttention",
                [packed, "", "", *past, "total", "cos", "sin"],
                [name, *present],
                name=name,
                domain="com.microsoft",
                num_heads=self.sizes.heads,
                kv_num_heads=self.sizes.kv_heads,
                do_rotary=1,
            )
        )
        return self.linear(name, at + "o_proj")

    def mlp(self, x: str, layer: int) -> str:
        at = f"model.layers.{layer}.mlp."
        gate, up = self.linear(x, at + "gate_proj"), self.linear(x, at + "up_proj")
        silu = self.op("Mul", gate, self.op("Sigmoid", gate))
        return self.linear(self.op("Mul", silu, up), at + "down_proj")

    def hidden(self) -> str:
        """The last hidden states of "ids", normed."""
        sizes = self.sizes
        angles = np.outer(np.arange(sizes.context), sizes.theta ** -(np.arange(0, sizes.head, 2) / sizes.head))
        self.constant("cos", np.cos(angles).astype(np.float32))
        self.constant("sin", np.sin(angles).astype(np.float32))
        x = self.op("Gather", self.stored("model.embed_tokens.weight"), "ids")
        for layer in range(sizes.layers):
            at = f"model.layers.{layer}."
            x = self.op("Add", x, self.attention(self.norm(x, at + "input_layernorm"), layer))
            x = self.op("Add", x, self.mlp(self.norm(x, at + "post_attention_layernorm"), layer))
        return self.norm(x, "model.norm")

    def model(self, name: str, inputs: list[Any], outputs: list[Any]) -> Any:
        """The ONNX model of all that was collected; inputs and outputs are given as (name, type, shape)."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(*i) for i in inputs],
            [helper.make_tensor_value_info(*o) for o in outputs],
            list(self.weights.values()),
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="searchkit")
        helper.set_model_props(model, {"fingerprint": fingerprint(self.sizes, self.header)})
        return model


def build(folder: Path) -> Any:
    """The ONNX model of the checkpoint in `folder`, float32; raises `ConfigError` where the format is not supported."""
    sizes, (header, start) = layout(read_config(folder)), read_header(folder)
    b = Builder(sizes, header, start)
    # Only the last token of a row is ever sampled from: [B, T, width] -> [B, width] before the widest product.
    last = b.op("GatherND", b.hidden(), "last", batch_dims=1)
    b.op("Identity", b.linear(last, "lm_head"), out="logits")
    cache = ["B", sizes.kv_heads, sizes.context, sizes.head]
    names = [f"{half}{layer}" for layer in range(sizes.layers) for half in "kv"]
    inputs = [("ids", INT64, ["B", "T"]), ("lengths", INT32, ["B"]), ("total", INT32, []), ("last", INT64, ["B", 1])]
    inputs += [(f"past_{name}", FLOAT, cache) for name in names]
    outputs = [("logits", FLOAT, ["B", sizes.vocabulary]), *((f"present_{name}", FLOAT, cache) for name in names)]
    return b.model("llama", inputs, outputs)


def export(folder: Path) -> Path:
    """Write ``model.onnx`` beside the weights and return its path."""
    path = folder / "model.onnx"
    path.write_bytes(build(folder).SerializeToString())
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m searchkit.lab.export FOLDER")
    print(export(Path(sys.argv[1])))
