"""Checkpoint folders: damaged, foreign and impossible ones are refused in one sentence; the export is reproducible."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from searchkit.errors import ConfigError
from searchkit.generators import Embedded, shipped
from searchkit.generators.embedded.checkpoint import SHIPPED


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "model.onnx"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_damaged_folders_are_refused(tmp_path: Path, name: str, damage: str) -> None:
    """A file that is missing, cut short or of another kind is named at construction, with the way out."""
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    path = folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b'{"a": [1]}')
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        Embedded(folder)


def test_impossible_configurations_are_refused(tmp_path: Path) -> None:
    """No such folder, no rows, no threads, another architecture: one sentence each."""
    with pytest.raises(ConfigError, match="no checkpoint folder"):
        Embedded(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="batch must be >= 1"):
        Embedded(batch=0)
    with pytest.raises(ConfigError, match="threads must be >= 1"):
        Embedded(threads=0)
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    config = json.loads((folder / "config.json").read_text())
    for change, clue in [
        ({"model_type": "gpt2"}, "Llama"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"num_hidden_layers": 3}, "onnx"),
    ]:
        (folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ConfigError, match=clue):
            Embedded(folder)


def test_names_and_pickles() -> None:
    """Equal configurations pickle, print and name themselves alike; other files give another name."""
    backend = Embedded(batch=3)
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert eval(repr(backend)) == backend
    assert backend.name == Embedded().name
    assert len(pickle.dumps(backend)) < 300


def test_the_export_is_reproducible_and_holds_no_weights(tmp_path: Path) -> None:
    """Exporting the shipped folder again gives the same graph, a hundredth of the weights' size."""
    pytest.importorskip("onnx", reason="the exporter needs onnx: pip install 'searchkit[train]'")
    from searchkit.lab.export import export

    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(ConfigError, match=r"searchkit\.lab\.export"):
        Embedded(folder)
    written = export(folder).read_bytes()
    assert written == (SHIPPED / "model.onnx").read_bytes()
    assert len(written) * 50 < (SHIPPED / "model.safetensors").stat().st_size
    assert Embedded(folder).name.split("@")[1] == Embedded().name.split("@")[1]


def test_what_ships_is_named() -> None:
    """Every shipped model by its name; of another the names that there are."""
    assert shipped("countdown") == SHIPPED
    assert {shipped(name).name for name in ("arithmetic", "countdown-process")} == {"arithmetic", "countdown-process"}
    with pytest.raises(ConfigError, match="arithmetic, arithmetic-outcome"):
        shipped("chess")


@pytest.mark.parametrize("name", ["arithmetic", "countdown", "countdown-parallel", "countdown-serial"])
def test_other_servers_are_told_to_sample(name: str) -> None:
    """`transformers serve` decodes greedily, whatever the temperature, unless the folder says that it samples."""
    folder = shipped(name)
    config, generation = (json.loads((folder / f"{stem}.json").read_text()) for stem in ("config", "generation_config"))
    assert generation["do_sample"] is True
    assert all(generation[key] == config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id"))
