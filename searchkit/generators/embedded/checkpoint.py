"""A Hugging Face Llama folder with our ``model.onnx``, as the embedded engine reads it. Imports nothing heavy."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.generators.embedded.tokenizer import BOS, EOS, Tokenizer
from searchkit.generators.embedded.words import Words

SHIPPED = Path(str(files("searchkit"))) / "lab" / "weights" / "countdown"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "model.onnx")


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything in a Llama's ``config.json`` that the graph depends on. Sizes in elements, `context` in tokens."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    context: int
    vocabulary: int
    epsilon: float
    theta: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is known before the first token: sizes, tokenizer, special tokens, and a digest of every file read.

    `ends` are the tokens that end a text; it is empty where ``config.json`` has ``"eos_token_id": null``, and then only
    `max_tokens`, a stop string or the context's end does. `completing`: the tokens that may complete a stop string, for
    those that were asked for.
    """

    folder: Path
    layout: Layout
    tokenizer: Tokenizer | Words
    begin: int
    ends: tuple[int, ...]
    digest: str
    completing: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)


def shipped(name: str) -> Path:
    """The folder of a model that ships with searchkit: a task's policy, or ``TASK-process`` or ``TASK-outcome``.

    `ConfigError` if there is no such model; it names those there are.
    """
    folder = SHIPPED.parent / name
    if not (folder / "config.json").is_file():
        known = sorted(path.parent.name for path in SHIPPED.parent.glob("*/config.json"))
        raise ConfigError(f"no model {name!r} ships with searchkit: there are {', '.join(known)}")
    return folder


def load(folder: Path) -> Checkpoint:
    """Read and check a checkpoint folder; `ConfigError` if a file is missing, damaged or of another kind.

    Reads and hashes the files once (about 10 ms for 4 MB) and again when one of them has changed.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no checkpoint folder {str(folder)!r}: name an existing one, or None for ours")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing == ["model.onnx"]:
        raise ConfigError(f"{folder} has no model.onnx: write it with `python -m searchkit.lab.export {folder}`")
    if missing:
        raise ConfigError(f"{folder} lacks {', '.join(missing)}: name a folder written by searchkit.lab.train")
    stamps = [(folder / name).stat() for name in FILES]
    return _load(folder.resolve(), tuple((s.st_mtime_ns, s.st_size) for s in stamps))


@functools.lru_cache(maxsize=8)
def _load(folder: Path, _: tuple[tuple[int, int], ...]) -> Checkpoint:
    config, (header, start) = read_config(folder), read_header(folder)
    content = {name: (folder / name).read_bytes() for name in FILES}
    if len(content["model.safetensors"]) != start + max(entry["data_offsets"][1] for entry in header.values()):
        raise ConfigError(f"{folder / 'model.safetensors'} is damaged: its length is not what its header says")
    if fingerprint(layout(config), header).encode() not in content["model.onnx"]:
        raise ConfigError(
            f"{folder / 'model.onnx'} is damaged or belongs to other weights: "
            f"write it again with `python -m searchkit.lab.export {folder}`"
        )
    try:
        tokenizer = _tokenizer(folder)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{folder / 'tokenizer.json'} is damaged, or not a tokenizer of searchkit.lab") from None
    ends = config.get("eos_token_id", EOS)
    digest = hashlib.sha256(b"".join(hashlib.sha256(content[name]).digest() for name in FILES)).hexdigest()
    return Checkpoint(
        folder,
        layout(config),
        tokenizer,
        begin=config.get("bos_token_id", BOS),
        ends=tuple(ends) if isinstance(ends, list) else () if ends is None else (ends,),
        digest=digest,
    )


def _tokenizer(folder: Path) -> Tokenizer | Words:
    """The folder's tokenizer: one token a character, or one a word."""
    stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return Words.load(folder) if stored["model"]["type"] == "WordLevel" else Tokenizer.load(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json``, checked to be a Llama that the exported graph can express."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConfigError(f"{path} is missing or not JSON: name a Hugging Face Llama folder") from None
    if not isinstance(config, dict) or config.get("model_type") != "llama":
        raise ConfigError(f"{path} does not describe a Llama: the embedded engine runs no other architecture")
    wanted = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False}
    for key, value in (wanted | {"rope_scaling": None}).items():
        if config.get(key, value) != value:
            raise ConfigError(f"{path} has {key}={config[key]!r}: the embedded engine needs {value!r}")
    return config


def layout(config: dict[str, Any]) -> Layout:
    """The sizes in a Llama's ``config.json``; `ConfigError` names the one that is missing."""
    try:
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        return Layout(
            layers=int(config["num_hidden_layers"]),
            width=width,
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head=int(config.get("head_dim") or width // heads),
            context=int(config["max_position_embeddings"]),
            vocabulary=int(config["vocab_size"]),
            epsilon=float(config["rms_norm_eps"]),
            theta=float(config["rope_theta"]),
        )
    except KeyError as error:
        raise ConfigError(f"config.json lacks {error}: name a folder written by searchkit.lab.train") from None


def read_header(folder: Path) -> tuple[dict[str, Any], int]:
    """The tensors of ``model.safetensors`` (name -> dtype, shape, data_offsets), and the byte where the data begin."""
    path = folder / "model.safetensors"
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, path.stat().st_size)))
        header.pop("__metadata__", None)
        damaged = not header or any({"dtype", "shape", "data_offsets"} - entry.keys() for entry in header.values())
    except (OSError, ValueError, AttributeError, TypeError):
        damaged = True
    if damaged:
        raise ConfigError(f"{path} is missing or damaged: name a Hugging Face Llama folder")
    return header, 8 + size


def fingerprint(sizes: Layout, header: dict[str, Any]) -> str:
    """Identity of what ``model.onnx`` was built for; the exporter stores it in the file, `load` looks for it there."""
    return hashlib.sha256(f"{sizes}{json.dumps(header, sort_keys=True)}".encode()).hexdigest()
