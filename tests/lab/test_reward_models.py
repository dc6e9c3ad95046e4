"""Reward models: targets and training, the graph against PyTorch, the scorer in all company, and the measures."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import pickle
import random
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.experiments import auroc, calibration_error, found_among
from searchkit.experiments.estimators.estimators import pass_at_k
from searchkit.generators import Embedded, shipped
from searchkit.generators.embedded.checkpoint import SHIPPED, load, read_header
from searchkit.generators.embedded.tokenizer import Tokenizer
from searchkit.lab import arithmetic, countdown
from searchkit.lab import reward as scorer
from searchkit.lab.arithmetic import Expression
from searchkit.lab.countdown import Puzzle
from searchkit.lab.evaluate_reward import BINS, Judged, judge, report
from searchkit.lab.reward import EmbeddedReward, lines
from searchkit.lab.rollouts import Rollouts, Solution, draw, header
from searchkit.model import Model
from searchkit.solve import solve_sync
from searchkit.strategies import BestOfN
from searchkit.types import Image, Message, Params, Prompt, Sample, Text
from searchkit.verifiers.reward_models.rewards import OutcomeReward, ProcessReward

TEXTS = [
    "4 13 16 19>51\n19-16=3:3 4 13\n13+4=17:3 17\n17*3=51:51\n",
    "4 13 16 19>51\n19-16=3:3 4 13\n13*4=52:3 52\n52-3=51:51\n",
    "1 2 3 4>10\n4+3=7:1 2 7\n7+2=9:1 9\n9+1=10:10\n",
    "1 2 3 4>24\n4*3=12:1 2 12\n",
    "5 5>10\n",
]


def write(folder: Path, kind: str = "process", seed: int = 0) -> Path:
    """A reward model's folder with the shipped policy's body and a random head; written by hand, without PyTorch."""
    pytest.importorskip("onnx", reason="the exporter needs onnx: pip install 'searchkit[train]'")
    from searchkit.lab.export_reward import export

    shutil.copytree(SHIPPED, folder)
    stored, start = read_header(SHIPPED)
    data, rng = (SHIPPED / "model.safetensors").read_bytes()[start:], np.random.default_rng(seed)
    tensors = {k: (v["shape"], data[slice(*v["data_offsets"])]) for k, v in stored.items() if k != "lm_head.weight"}
    width = load(SHIPPED).layout.width
    tensors["score.weight"] = [1, width], rng.normal(0, 0.3, (1, width)).astype(np.float32).tobytes()
    tensors["score.bias"] = [1], np.array([-0.5], np.float32).tobytes()
    described, at = {}, 0
    for name, (shape, content) in tensors.items():
        described[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    top = json.dumps(described).encode()
    body = b"".join(content for _, content in tensors.values())
    (folder / "model.safetensors").write_bytes(len(top).to_bytes(8, "little") + top + body)
    config = json.loads((SHIPPED / "config.json").read_text())
    config |= {"architectures": ["LlamaForTokenClassification"], "id2label": {"0": "success"}, "reward": kind}
    (folder / "config.json").write_text(json.dumps(config))
    export(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("reward") / "process")


@pytest.fixture(scope="module")
def reward(folder: Path) -> EmbeddedReward:
    return EmbeddedReward(folder)


def request(text: str, cuts: list[int] | None = None) -> Request:
    """The first line is the prompt; the answer is cut at `cuts`, by default into lines."""
    asked, _, answer = text.partition("\n")
    edges = [0, *(lines(answer) if cuts is None else cuts)]
    parts = tuple(Text(answer[a:b]) for a, b in itertools.pairwise(edges))
    return Request(Prompt((*Prompt.of(asked + "\n").messages, Message("assistant", parts))), Params(max_tokens=1), 0)


async def ask(reward: EmbeddedReward, *requests: Request) -> list[list[float]]:
    answers = await reward.complete(requests)
    assert all(isinstance(a, Sample) for a in answers), answers
    return [json.loads(a.text) for a in answers if isinstance(a, Sample)]


# --- the graph -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_scores_match_transformers(folder: Path, reward: EmbeddedReward) -> None:
    """Each score is the sigmoid of what transformers' `LlamaForTokenClassification` gives at the token, within 1e-5."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch: pip install 'searchkit[transformers]'")
    transformers = pytest.importorskip("transformers", reason="the oracle: pip install 'searchkit[transformers]'")
    torch.set_num_threads(1)
    oracle = transformers.AutoModelForTokenClassification.from_pretrained(str(folder), dtype=torch.float32)
    rows = asyncio.run(ask(reward, *map(request, TEXTS)))
    spread = []
    for text, row in zip(TEXTS, rows, strict=True):
        ids = [1, *load(SHIPPED).tokenizer.encode(text)]
        with torch.no_grad():
            chances = oracle(torch.tensor([ids])).logits[0, :, 0].sigmoid().tolist()
        asked, _, answer = text.partition("\n")
        wanted = [chances[len(asked) + 1 + end] for end in lines(answer)]
        assert row == pytest.approx(wanted, abs=1e-5)
        spread += row
    assert np.std(spread) > 0.05


def test_scores_match_the_training_script(folder: Path, reward: EmbeddedReward) -> None:
    """The model as it is trained gives the same, read from the folder, within 1e-5."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from safetensors.torch import load_file

    from searchkit.lab.train_reward import Reward, Texts

    model = Reward(load(SHIPPED).layout.vocabulary)
    stored = load_file(folder / "model.safetensors")
    model.load_state_dict({k.removeprefix("model."): v for k, v in stored.items()}, strict=False)
    for text in TEXTS:
        asked, _, answer = text.partition("\n")
        problem = Rollouts(asked + "\n", (Solution(answer, 1, True),))
        ids, places, _ = Texts.of([problem], "process", load(SHIPPED).tokenizer).part(np.array([0]))
        with torch.no_grad():
            wanted = model(ids).gather(1, places).sigmoid()[0].tolist()
        assert asyncio.run(ask(reward, request(text)))[0] == pytest.approx(wanted, abs=1e-5)


def test_a_score_does_not_depend_on_what_follows(reward: EmbeddedReward) -> None:
    """Scores of a text's beginning and of all its parts in one pass agree to 1e-6; the cuts change no score."""
    for text in TEXTS[:3]:
        asked, _, answer = text.partition("\n")
        [row] = asyncio.run(ask(reward, request(text)))
        for end, score in zip(lines(answer), row, strict=True):
            [alone] = asyncio.run(ask(reward, request(f"{asked}\n{answer[:end]}", [end])))
            assert alone == pytest.approx([score], abs=1e-6)
        [every] = asyncio.run(ask(reward, request(text, list(range(1, len(answer) + 1)))))
        assert [every[end - 1] for end in lines(answer)] == row


def test_the_export_is_reproducible(folder: Path, tmp_path: Path) -> None:
    """Exporting again gives the same graph, without weights in it; a policy's folder has no head for it."""
    from searchkit.lab.export_reward import export

    before = (folder / "model.onnx").read_bytes()
    assert export(folder).read_bytes() == before
    assert len(before) * 50 < (folder / "model.safetensors").stat().st_size
    shutil.copytree(SHIPPED, tmp_path / "policy")
    with pytest.raises(ConfigError, match=r"score\.weight"):
        export(tmp_path / "policy")


# --- the scorer ------------------------------------------------------------------------------------------------------


def test_scores_have_the_same_bits_in_any_company(reward: EmbeddedReward) -> None:
    """Alone, all together, shuffled, and from three threads with their own event loops at once."""
    rng = random.Random(0)
    texts = ["".join(rng.choice("\n0123456789+-*/=: ") for _ in range(rng.randint(1, 100))) for _ in range(30)]
    requests = [request(f"{text[:5]}\n{text}") for text in texts]
    alone = [asyncio.run(ask(reward, r))[0] for r in requests]
    forget(reward)
    assert asyncio.run(ask(reward, *requests)) == alone
    forget(reward)
    order = rng.sample(range(30), 30)
    assert asyncio.run(ask(reward, *(requests[i] for i in order))) == [alone[i] for i in order]
    answers = list[list[list[float]]]()

    async def each() -> list[list[float]]:
        return [row for [row] in await asyncio.gather(*(ask(reward, r) for r in requests))]

    forget(reward)
    threads = [threading.Thread(target=lambda: answers.append(asyncio.run(each()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone] * 3


def forget(reward: EmbeddedReward) -> None:
    """So that the next scores are computed."""
    scorer._WORKERS[reward._checkpoint.digest]._known.clear()


def test_a_text_is_read_once(reward: EmbeddedReward, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time its tokens are cached ones, and the scores the same; other steps of the same text are others.

    The oldest texts are forgotten.
    """

    def read(*texts: str) -> list[tuple[str, int]]:
        asked = [Message("user", (Text("12\n"),)), Message("assistant", tuple(map(Text, texts)))]
        [sample] = asyncio.run(reward.complete([Request(Prompt(tuple(asked)), Params(), 0)]))
        assert isinstance(sample, Sample)
        assert sample.usage.prompt_tokens == 4 + len("".join(texts))
        return sample.text, sample.usage.cached_tokens

    forget(reward)
    scores, cached = read("1+2=3\n", "3*4\n")
    assert (len(json.loads(scores)), cached) == (2, 0)
    assert read("1+2=3\n", "3*4\n") == (scores, 14)
    assert read("1+2=3\n3*4\n") == (json.dumps(json.loads(scores)[1:]), 0)
    monkeypatch.setattr(scorer, "REMEMBERED", 2)
    assert read("5-4\n")[1] == 0  # the third text
    assert read("1+2=3\n3*4\n")[1] == 14
    assert read("1+2=3\n", "3*4\n") == (scores, 0)


def test_a_cancelled_call_leaves_the_scorer_usable(reward: EmbeddedReward) -> None:
    """After a cancelled call the next one works, on the same loop; what had not begun is not computed."""

    async def main() -> tuple[bool, list[list[float]]]:
        task = asyncio.create_task(reward.complete([request(TEXTS[0])] * 500))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), await ask(reward, request(TEXTS[1]))

    assert asyncio.run(main()) == (True, asyncio.run(ask(reward, request(TEXTS[1]))))


def test_usage_counts_one_call_and_the_tokens_read(reward: EmbeddedReward) -> None:
    """The begin token, and one a character; nothing is generated."""
    [sample] = asyncio.run(reward.complete([request(TEXTS[0])]))
    assert isinstance(sample, Sample)
    usage = sample.usage
    read = len(TEXTS[0]) + 1
    assert (usage.model_calls, usage.prompt_tokens, usage.generated_tokens, usage.longest_context) == (1, read, 0, read)


def test_what_cannot_be_read_is_refused_alone(folder: Path, reward: EmbeddedReward, tmp_path: Path) -> None:
    """Unknown characters, one token too many, images, no answer: one sentence each, and the others are served."""
    outcome = EmbeddedReward(write(tmp_path / "outcome", "outcome"))
    asked = Prompt.of("1 2>3\n")
    picture = Message("user", (Image("data:,"), Text("1 2>3\n")))
    [good] = asyncio.run(ask(reward, request(TEXTS[0])))
    longest = "1 2>3\n" + "1" * (128 - 1 - 6)
    for bad, clue in [
        (request("1 2>3\nnonsense"), "cannot read 'n'"),
        (request(longest + "1"), "129 tokens"),
        (Request(asked, Params(), 0), "must be the answer"),
        (Request(Prompt((picture, Message("assistant", (Text("1"),)))), Params(), 0), "text only"),
    ]:
        first, refused, last = asyncio.run(reward.complete([request(TEXTS[0]), bad, request(longest)]))
        assert isinstance(refused, CallError)
        assert refused.kind == "bad_request"
        assert clue in str(refused)
        assert isinstance(first, Sample)
        assert json.loads(first.text) == good
        assert isinstance(last, Sample)
    several, whole = asyncio.run(outcome.complete([request(TEXTS[0]), request(TEXTS[3])]))
    assert isinstance(several, CallError)
    assert "OutcomeReward" in str(several)
    assert isinstance(whole, Sample)


def test_configuration_pickles_and_is_checked(folder: Path, reward: EmbeddedReward, tmp_path: Path) -> None:
    """Equal ones pickle, print and name themselves alike, other weights otherwise. It is no policy, a policy none."""
    copy = pickle.loads(pickle.dumps(reward))
    assert copy == reward
    assert copy.name == reward.name
    assert len(pickle.dumps(reward)) < 400
    assert asyncio.run(ask(copy, request(TEXTS[0]))) == asyncio.run(ask(reward, request(TEXTS[0])))
    other = EmbeddedReward(write(tmp_path / "process", seed=1))
    assert other.name != reward.name
    assert other.name.partition("@")[0] == reward.name.partition("@")[0]
    with pytest.raises(ConfigError, match="no reward model"):
        EmbeddedReward(SHIPPED)
    with pytest.raises(ConfigError, match="EmbeddedReward"):
        Embedded(folder)
    with pytest.raises(ConfigError, match="no checkpoint folder"):
        EmbeddedReward(tmp_path / "nowhere")
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "model.onnx").unlink()
    with pytest.raises(ConfigError, match=r"model\.onnx"):
        EmbeddedReward(damaged)


def test_weights_that_change_on_disk_are_not_mixed_up(folder: Path, tmp_path: Path) -> None:
    """A scorer whose files were replaced before its first call says so."""
    reward = EmbeddedReward(write(tmp_path / "process", seed=2))
    shutil.copy(folder / "model.safetensors", tmp_path / "process")
    with pytest.raises(ConfigError, match="has changed on disk"):
        asyncio.run(reward.complete([request(TEXTS[0])]))


def test_verifiers_give_one_score_a_line_and_choose_by_it(reward: EmbeddedReward) -> None:
    """In best-of-8: a step a line, the last one is the score, the best one wins; reading whole texts agrees."""
    asked = "3 7 13 20>24\n"
    process = ProcessReward(reward, separator="\n")
    result = solve_sync(asked, BestOfN(8, verifier=process), generator=Model(Embedded()), seed=3)
    scored = [c for c in result.candidates if c.score is not None]
    assert len({c.sample.text for c in scored}) > 4
    for one in scored:
        [row] = asyncio.run(ask(reward, request(asked + one.sample.text)))
        assert one.verdict.step_scores == tuple(row)
        assert one.score == row[-1]
    assert result.answer == max(scored, key=lambda c: c.score or 0.0).sample.text
    whole = solve_sync(asked, BestOfN(8, verifier=OutcomeReward(reward)), generator=Model(Embedded()), seed=3)
    assert [c.score for c in whole.candidates] == [c.score for c in result.candidates]


# --- the models that ship ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "task", "least"),
    [
        pytest.param("outcome", "countdown", 0.93, marks=pytest.mark.slow),
        pytest.param("outcome", "arithmetic", 0.85, marks=pytest.mark.slow),
        pytest.param("process", "countdown", 0.93, marks=pytest.mark.slow),
        ("process", "arithmetic", 0.85),
    ],
)
def test_the_shipped_models_choose_far_better_than_chance(task: str, kind: str, least: float) -> None:
    """On 40 development problems: a right sample scores above a wrong one, and the best of 4 gains half of pass@4's."""
    reward = EmbeddedReward(shipped(f"{task}-{kind}"))
    assert reward.kind == kind

    async def measured() -> dict[str, tuple[float, float, float]]:
        return report(await judge(reward, await draw(task, Embedded(shipped(task)), range(40), 16, "dev")))

    figures = asyncio.run(measured())
    assert figures["AUROC at the end"][0] > least
    once, chosen, most = (figures[name][0] for name in ("pass@1", "best of 4", "pass@4"))
    assert chosen - once > (most - once) / 2


def test_the_default_is_countdowns_process_model() -> None:
    """Two commands offline: no folder needs to be named."""
    assert EmbeddedReward().kind == "process"
    assert EmbeddedReward().name.startswith("embedded/countdown-process@")


# --- training --------------------------------------------------------------------------------------------------------

ROLLOUTS = [
    Rollouts("1 2>3\n", (Solution("2+1=3:3\n", 3, True), Solution("2-1=1:1\n", 1, False))),
    Rollouts("1 2 3>6\n", (Solution("1+2=3:3 3\n3+3=6:6\n", 2, True), Solution("1+2=3:3 3\n3*3=9:9\n", 6, False))),
]


def test_targets_stand_at_the_ends_of_steps() -> None:
    """Hand-checkable: a process model learns reward-to-go behind every line, an outcome model the label at the end."""
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train_reward import Texts

    tokenizer = load(SHIPPED).tokenizer
    short = [[("2+1=3:3\n", 1.0)], [("2-1=1:1\n", 0.0)]]
    begun, right, wrong = ("1+2=3:3 3\n", 0.25), ("1+2=3:3 3\n3+3=6:6\n", 1.0), ("1+2=3:3 3\n3*3=9:9\n", 0.0)
    wanted = {"process": [*short, [begun, right], [begun, wrong]], "outcome": [*short, [right], [wrong]]}
    for kind, rows in wanted.items():
        texts = Texts.of(ROLLOUTS, kind, tokenizer)
        found = []
        for ids, places, targets in zip(texts.ids, texts.places, texts.targets, strict=True):
            learnt = [(int(p), float(t)) for p, t in zip(places, targets, strict=True) if np.isfinite(t)]
            read = [(tokenizer.decode(ids[: place + 1].tolist()), target) for place, target in learnt]
            found.append([(text.partition("\n")[2], target) for text, target in read])
        assert found == rows
        assert texts.counts.tolist() == [3, 1, 2, 6]
        assert texts.problems.tolist() == [0, 0, 1, 1]


def test_batches_are_pairs_at_first_and_then_all_samples() -> None:
    """Five of sixteen samples are right beside wrong ones: five pairs hold all of them; later an epoch is all sixteen.

    The order differs between epochs and seeds, and is the same for the same seed.
    """
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train_reward import Batches, Texts

    alone = (
        Rollouts("1 1>9\n", (Solution("1+1=2:2\n", 2, False),)),
        Rollouts("1 1>2\n", (Solution("1+1=2:2\n", 2, True),)),
    )
    texts = Texts.of([*ROLLOUTS, *alone], "process", load(SHIPPED).tokenizer)

    def rows(seed: int, step: int, even: int) -> list[int]:
        return [int(row) for part in Batches(texts, seed, even).batch(4, step) for row in part]

    pairs = [row for step in range(5) for row in rows(0, step, 5)]
    assert sorted(pairs) == sorted(2 * ([0] * 3 + [1] * 3 + [2] * 2 + [3] * 2))
    for step in range(5):
        batch = rows(0, step, 5)
        assert [sum(texts.problems[batch] >= 2), sum(texts.right[batch])] == [0, 2]
        assert sum(texts.problems[batch][texts.right[batch]]) == sum(texts.problems[batch][~texts.right[batch]])
    epochs = [[row for step in range(first, first + 4) for row in rows(0, step, 0)] for first in (0, 4)]
    for epoch in epochs:
        assert sorted(epoch) == [0] * 3 + [1] + [2] * 2 + [3] * 6 + [4] * 2 + [5] * 2
    assert epochs[0] != epochs[1]
    assert [rows(0, step, 0) for step in range(8)] != [rows(1, step, 0) for step in range(8)]
    assert rows(0, 5, 5) == rows(0, 5, 0) == rows(0, 5, 5) != rows(0, 5, 6)


def test_the_loss_is_the_cross_entropy_of_all_places_together() -> None:
    """Parts of a batch are weighed as one: loss and gradient are those of single rows, summed over places by hand."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train_reward import Reward, Texts, backward

    texts = Texts.of(ROLLOUTS, "process", load(SHIPPED).tokenizer)
    torch.manual_seed(0)
    model = Reward(load(SHIPPED).layout.vocabulary)
    loss, _ = backward(model, texts, [np.array([0, 2]), np.array([3])])
    found = model.score.weight.grad.clone()
    model.zero_grad()
    total, places = torch.zeros(()), 0
    for row in (0, 2, 3):
        ids = torch.tensor([[int(i) for i in texts.ids[row] if i]])
        for place, target in zip(texts.places[row], texts.targets[row], strict=True):
            if math.isfinite(target):
                p = model(ids)[0, int(place)].sigmoid()
                total = total - float(target) * p.log() - (1 - float(target)) * (1 - p).log()
                places += 1
    (total / places).backward()
    assert places == 5
    assert loss == pytest.approx(total.item() / places, rel=1e-5)
    torch.testing.assert_close(found, model.score.weight.grad, rtol=1e-3, atol=1e-6)


def test_bfloat16_gives_nearly_the_same_gradients() -> None:
    """Loss within 2 %, gradients that point the same way, and weights that stay in float32."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train_reward import Reward, Texts, backward

    texts = Texts.of(ROLLOUTS, "process", load(SHIPPED).tokenizer)
    torch.manual_seed(0)
    model, losses, gradients = Reward(load(SHIPPED).layout.vocabulary), [], []
    model.start_from(SHIPPED)
    for bf16 in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            losses.append(backward(model, texts, [np.array([0, 2, 3])])[0])
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.02)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99
    assert {p.dtype for p in model.parameters()} == {g.dtype for g in gradients} == {torch.float32}


def policy_of(folder: Path) -> Any:
    """The policy in PyTorch, as training sees it."""
    from safetensors.torch import load_file

    from searchkit.lab.train import Llama

    policy = Llama(load(folder).layout.vocabulary)
    stored = load_file(folder / "model.safetensors")
    policy.load_state_dict({name.removeprefix("model."): weight for name, weight in stored.items()})
    return policy


def test_likelihoods_are_what_the_policy_said_itself() -> None:
    """Of its own samples, against the log-probabilities that the embedded engine gave while it wrote them."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train_reward import LEAST, Texts, likelihoods

    asked = "3 7 13 20>24\n"
    params = Params(temperature=1.0, logprobs=1)
    drawn = asyncio.run(Embedded(threads=1).complete([Request(Prompt.of(asked), params, seed) for seed in range(4)]))
    samples = [sample for sample in drawn if isinstance(sample, Sample)]
    rollouts = [Rollouts(asked, tuple(Solution(s.text, 1, False) for s in samples))]
    texts = Texts.of(rollouts, "process", load(SHIPPED).tokenizer)
    found = likelihoods(policy_of(SHIPPED), texts, np.arange(4))
    for row, sample in zip(found, samples, strict=True):
        assert sample.logprobs is not None
        said = [max(LEAST, token.logprob) for token in sample.logprobs[: len(sample.text)]]  # not the end's
        assert row.isfinite().nonzero()[:, 0].tolist() == list(range(len(asked) + 1, len(asked) + 1 + len(said)))
        torch.testing.assert_close(row[row.isfinite()], torch.tensor(said), rtol=0, atol=1e-4)


def test_the_error_of_likelihoods_is_a_mean_over_tokens() -> None:
    """Whatever the parts: a model that guesses 0 everywhere misses by the mean square of all log-probabilities."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train_reward import Reward, Texts, backward, likelihoods

    texts, policy = Texts.of(ROLLOUTS, "process", load(SHIPPED).tokenizer), policy_of(SHIPPED)
    model = Reward(load(SHIPPED).layout.vocabulary)
    torch.nn.init.zeros_(model.likely.weight)
    torch.nn.init.zeros_(model.likely.bias)
    parts = [np.array([0, 2]), np.array([3])]
    each = torch.cat([likelihoods(policy, texts, rows).flatten() for rows in parts])
    loss, missed = backward(model, texts, parts, policy)
    assert missed == pytest.approx(each[each.isfinite()].square().mean().item(), rel=1e-5)
    assert loss == pytest.approx(backward(model, texts, parts)[0], rel=1e-5)
    assert model.likely.bias.grad.item() == pytest.approx(-2 * each[each.isfinite()].mean().item(), rel=1e-4)


def options(out: Path, data: Path, **changes: object) -> argparse.Namespace:
    given = {"kind": "process", "data": str(data), "out": str(out), "policy": None, "steps": 4, "batch": 4, "lr": 1e-3}
    fixed = {
        "seed": 0,
        "threads": 1,
        "evaluate": 100,
        "start": None,
        "deeper": 0,
        "compile": False,
        "bf16": False,
        "policy_lr": None,
    }
    return argparse.Namespace(**given | fixed | changes)


def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps in one go and four killed after two give the same weights, bit for bit; other rollouts are refused.

    The result opens as a scorer, whose scores have moved away from the start.
    """
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    pytest.importorskip("onnx", reason="the exporter needs onnx: pip install 'searchkit[train]'")
    from searchkit.lab import train_reward
    from searchkit.lab.export_reward import export

    data = tmp_path / "data.jsonl"
    top = json.dumps(header("countdown", "policy", 12))
    data.write_text("\n".join([top, *(r.line for r in ROLLOUTS * 2)]) + "\n")
    monkeypatch.setattr(train_reward, "SAVE_EVERY", 1)
    train_reward.train(options(tmp_path / "whole", data))
    batch = train_reward.Batches.batch

    def killed(self: Any, size: int, step: int) -> Any:
        if step == 2:
            raise KeyboardInterrupt
        return batch(self, size, step)

    monkeypatch.setattr(train_reward.Batches, "batch", killed)
    with pytest.raises(KeyboardInterrupt):
        train_reward.train(options(tmp_path / "killed", data))
    monkeypatch.setattr(train_reward.Batches, "batch", batch)
    train_reward.train(options(tmp_path / "killed", data))
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    data.write_text(data.read_text() + ROLLOUTS[0].line + "\n")
    with pytest.raises(ConfigError, match="other rollouts"):
        train_reward.train(options(tmp_path / "killed", data))
    train_reward.train(options(tmp_path / "start", data, steps=1, lr=0.0))
    rows = []
    for name in ("start", "whole"):
        export(tmp_path / name)
        rows.append(asyncio.run(ask(EmbeddedReward(tmp_path / name), request(TEXTS[0])))[0])
    assert EmbeddedReward(tmp_path / "whole").kind == "process"
    assert max(abs(a - b) for a, b in zip(*rows, strict=True)) > 1e-3


def test_a_training_starts_from_another_and_may_be_deeper(tmp_path: Path) -> None:
    """Layers on top change no score at first; a training that starts from another one takes all its weights.

    At a rate of zero the policy's weights stay as they are, and the layers on top learn.
    """
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    pytest.importorskip("onnx", reason="the exporter needs onnx: pip install 'searchkit[train]'")
    from safetensors.torch import load_file

    from searchkit.lab import train_reward
    from searchkit.lab.export_reward import export

    data = tmp_path / "data.jsonl"
    top = json.dumps(header("countdown", "policy", 12))
    data.write_text("\n".join([top, *(r.line for r in ROLLOUTS * 2)]) + "\n")
    train_reward.train(options(tmp_path / "deep", data, deeper=2))
    again = {"deeper": 2, "start": tmp_path / "deep", "steps": 1, "lr": 0.0}
    train_reward.train(options(tmp_path / "again", data, **again))
    rows = []
    for name in ("deep", "again"):
        export(tmp_path / name)
        rows.append(asyncio.run(ask(EmbeddedReward(tmp_path / name), request(TEXTS[0])))[0])
    assert rows[0] == rows[1]
    assert load(tmp_path / "deep").layout.layers == 6
    train_reward.train(options(tmp_path / "kept", data, deeper=2, policy_lr=0.0))
    kept = load_file(tmp_path / "kept" / "model.safetensors")
    own = {name: weight for name, weight in load_file(SHIPPED / "model.safetensors").items() if "lm_head" not in name}
    assert all(kept[name].equal(weight) for name, weight in own.items())
    assert kept["model.layers.4.mlp.down_proj.weight"].any()
    ids = torch_ids(TEXTS[0])
    deep, flat = train_reward.Reward(load(SHIPPED).layout.vocabulary, 2), train_reward.Reward(ids[1])
    for model in (deep, flat):
        model.start_from(SHIPPED)
    assert deep.next(ids[0]).equal(flat.next(ids[0]))


def torch_ids(text: str) -> tuple[Any, int]:
    import torch

    checkpoint = load(SHIPPED)
    return torch.tensor([[1, *checkpoint.tokenizer.encode(text)]]), checkpoint.layout.vocabulary


def test_training_starts_from_the_policy(tmp_path: Path) -> None:
    """All weights are the policy's, its head's too; only that of the score is new. Other folders are refused."""
    torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from safetensors.torch import load_file

    from searchkit.lab.train import Llama
    from searchkit.lab.train_reward import Reward

    model, policy = Reward(load(SHIPPED).layout.vocabulary), Llama(load(SHIPPED).layout.vocabulary)
    model.start_from(SHIPPED)
    stored = load_file(SHIPPED / "model.safetensors")
    policy.load_state_dict({k.removeprefix("model."): v for k, v in stored.items()})
    ids = torch.tensor([[1, *load(SHIPPED).tokenizer.encode(TEXTS[0])]])
    assert torch.equal(model.next(ids), policy(ids))
    assert model(ids).shape == ids.shape
    with pytest.raises(ConfigError, match="not a policy"):
        model.start_from(write(tmp_path / "reward"))


@pytest.mark.parametrize("task", ["countdown", "arithmetic"])
def test_the_rules_are_taught_by_training_problems_that_keep_them(task: str) -> None:
    """Every line is legal, no problem is held out, and what is learnt is what the rules decide: a result, or a line."""
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'searchkit[train]'")
    pytest.importorskip("safetensors", reason="training needs safetensors: pip install 'searchkit[train]'")
    from searchkit.lab.train import CHARACTERS
    from searchkit.lab.train_reward import rules

    tokenizer, seen = Tokenizer.of(CHARACTERS[task]), set()
    for ids, targets in zip(*rules(task, tokenizer, 40, 0, 0), strict=True):
        prompt, _, text = tokenizer.decode(ids.tolist()).partition("\n")
        text += "" if text.endswith("\n") else "\n"  # the last line break is a target only
        learnt = tokenizer.decode([t for t in targets.tolist() if t != -100])
        seen.add(prompt)
        if task == "arithmetic":
            assert Expression.parse(prompt).split == "train"
            assert arithmetic.check(Expression.parse(prompt), text) == ""
            assert learnt == text
        else:
            asked = Puzzle.parse(prompt)
            reached = countdown.replay(asked, text)
            assert reached.error == ""
            assert asked.split == Puzzle(asked.numbers, reached.remaining[0]).split == "train"
            assert learnt == "".join(line.partition("=")[2] + "\n" for line in text.split("\n")[:-1])
    assert len(seen) > 35


# --- measures --------------------------------------------------------------------------------------------------------


def scored(seed: int, n: int) -> tuple[list[float], list[bool]]:
    """Random scores with many ties, and labels of both kinds."""
    rng = random.Random(seed)
    return [float(rng.randint(0, 4)) for _ in range(n)], [i == 0 or (i > 1 and rng.random() < 0.4) for i in range(n)]


@pytest.mark.parametrize("seed", range(8))
def test_auroc_is_the_share_of_pairs_in_order(seed: int) -> None:
    """By enumeration of all pairs, ties half; the order of the samples does not matter; turned round it is 1 - it."""
    scores, right = scored(seed, 5 + seed)
    pairs = [(a > b) + (a == b) / 2 for (a, r), (b, s) in itertools.product(zip(scores, right, strict=True), repeat=2)
             if r and not s]  # fmt: skip
    assert auroc(scores, right) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    assert auroc(scores[::-1], right[::-1]) == pytest.approx(auroc(scores, right), abs=1e-12)
    assert auroc([-s for s in scores], right) == pytest.approx(1 - auroc(scores, right), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_found_among_is_an_expectation_over_all_draws(seed: int) -> None:
    """By enumeration: each right sample against each 3 of the wrong ones; of t that tie for the best, one in t."""
    scores, right = scored(seed, 9)
    wrong = [s for s, r in zip(scores, right, strict=True) if not r]
    if len(wrong) < 3:
        wrong, right = scores[1:], [True] + [False] * 8
    chosen = [s for s, r in zip(scores, right, strict=True) if r]
    wins = [
        0.0 if max(rivals) > s else 1 / (1 + rivals.count(s))
        for s in chosen for rivals in map(list, itertools.combinations(wrong, 3))
    ]  # fmt: skip
    assert found_among(scores, right) == pytest.approx(sum(wins) / len(wins), abs=1e-12)


def test_a_constant_knows_nothing() -> None:
    """AUROC 0.5, the right one of four found in 25 %, although an argmax that takes the first would find it always."""
    right = [True, False, False, False, False]
    assert auroc([0.3] * 5, right) == 0.5
    assert found_among([0.3] * 5, right) == 0.25
    with pytest.raises(ConfigError, match="both"):
        auroc([0.1, 0.2], [True, True])
    with pytest.raises(ConfigError, match="3 wrong ones"):
        found_among([0.1, 0.2], [True, False])


def test_calibration_by_hand() -> None:
    """Two bins of two: gaps 0.1 and -0.3 make sqrt((0.01 + 0.09) / 2); exact chances make 0."""
    scores, right = [[0.1, 0.7], [0.1, 0.7]], [[False, True], [False, True]]
    found = calibration_error(scores, right, bins=2, power=2)
    assert float(found.mean) == pytest.approx(math.sqrt(0.05))
    assert (float(found.low), float(found.high)) == pytest.approx((math.sqrt(0.05),) * 2)  # both problems are alike
    assert float(calibration_error([[0.5, 0.5], [1.0]], [[True, False], [True]], bins=BINS, power=2).mean) == 0.0


def test_calibration_bins_do_not_depend_on_the_order() -> None:
    """Equal scores share a bin, so samples and problems may come in any order."""
    problems = [scored(seed, 12) for seed in range(9)]
    rng = random.Random(0)
    first = calibration_error([[s / 4 for s in a] for a, _ in problems], [r for _, r in problems], bins=BINS, power=2)
    again = []
    for scores, right in rng.sample(problems, len(problems)):
        order = rng.sample(range(12), 12)
        again.append(([scores[i] / 4 for i in order], [right[i] for i in order]))
    second = calibration_error([a for a, _ in again], [r for _, r in again], bins=BINS, power=2)
    assert float(first.mean) == pytest.approx(float(second.mean), abs=1e-12)
    assert float(first.low) < float(first.mean) < float(first.high)


def test_the_report_of_an_oracle_and_of_a_constant() -> None:
    """The truth as score: every AUROC 1, the best of 4 is pass@4. A constant: 0.5, the best of 4 is pass@1, 25 %."""
    rng = random.Random(0)
    rights = [tuple(i == 0 or (i > 3 and rng.random() < 0.3) for i in range(12)) for _ in range(30)]
    best = np.mean([pass_at_k(12, sum(right), 4) for right in rights])
    share = np.mean([sum(right) / 12 for right in rights])
    oracle = report([Judged(right, tuple((0.5, float(r)) for r in right)) for right in rights])
    assert oracle["AUROC at step 1 (30 problems)"] == (0.5, 0.5, 0.5)
    assert oracle["AUROC at step 2 (30 problems)"] == oracle["AUROC at the end"] == (1.0, 1.0, 1.0)
    assert oracle["right one of 4 found"] == (1.0, 1.0, 1.0)
    assert oracle["best of 4"] == pytest.approx(oracle["pass@4"])
    assert oracle["pass@4"][0] == pytest.approx(best)
    assert oracle["calibration error at the end"][0] == 0.0
    constant = report([Judged(right, ((0.5,),) * 12) for right in rights])
    assert constant["AUROC at the end"] == (0.5, 0.5, 0.5)
    assert constant["right one of 4 found"] == (0.25, 0.25, 0.25)
    assert constant["best of 4"] == pytest.approx(constant["pass@1"])
    assert constant["best of 4"][0] == pytest.approx(share)
    assert constant["calibration error at the end"][0] == pytest.approx(abs(share - 0.5))


def test_rollouts_are_judged_one_row_a_sample(folder: Path, reward: EmbeddedReward, tmp_path: Path) -> None:
    """Texts that were drawn several times count as often; an outcome model gives one score, the last step's."""
    rollouts = asyncio.run(draw("countdown", Embedded(threads=1), range(2), 6, "test"))
    rollouts[0] = replace(
        rollouts[0], solutions=(replace(rollouts[0].solutions[0], count=3), *rollouts[0].solutions[1:])
    )
    judged = asyncio.run(judge(reward, rollouts))
    for problem, found in zip(rollouts, judged, strict=True):
        texts = [s for s in problem.solutions for _ in range(s.count)]
        assert found.right == tuple(s.right for s in texts)
        rows = asyncio.run(ask(reward, *(request(problem.prompt + s.text) for s in texts)))
        assert found.rows == tuple(map(tuple, rows))
    outcome = asyncio.run(judge(EmbeddedReward(write(tmp_path / "outcome", "outcome")), rollouts))
    assert [row for j in outcome for row in j.rows] == [(row[-1],) for j in judged for row in j.rows]
