"""Images inside candidates: judges are shown them, named, before their wording; and what no server has to fetch."""

from __future__ import annotations

import asyncio
import json

import pytest

from searchkit import Model, solve_sync
from searchkit.engine.run import Run, Search
from searchkit.generators import OpenAI
from searchkit.strategies import BestOfN
from searchkit.testing.doubles import Scripted
from searchkit.testing.server import Server
from searchkit.types import Budget, Image, Message, Problem, Prompt, Sample, Text
from searchkit.verifiers import Debate, Expected, Judge, ListwiseJudge, PairwiseJudge, PYes, UniversalConsistency
from searchkit.verifiers.judges.asking import LONGEST
from searchkit.verifiers.judges.shown import LONGEST_IMAGES, MOST_IMAGES, Answer
from tests.helpers.judges import PROMPT, says

RED, BLUE, TASK = (Image(f"data:image/png;base64,{name}") for name in ("red", "blue", "task"))
ASKED = Prompt((Message("user", (TASK, Text("Draw it."))),))


def drawn(text, *images):
    return Sample(text, Message("assistant", (Text(text), *images)))


ONE, TWO, NONE = drawn("a drawing", RED), drawn("a drawing", BLUE, RED), drawn("a drawing")


def judged(make, *samples, prompt=ASKED, reply=None):
    """Verdicts, and the parts of each message that the judge was asked."""
    seen = []

    def answers(request):
        seen.append(request.prompt.messages[-1].parts)
        return reply(request) if reply else says(score=7, better="A", ranking=[1, 2], response=1)

    async def go():
        run = Run.root(Search(Problem("p", prompt)), 0, Budget())
        return [one.verdict for one in await run.score(make(Model(Scripted(answers))), prompt, list(samples))]

    return asyncio.run(go()), seen


def named(parts):
    """What is said right before each image, "" for those of the task; the rest is the wording."""
    said, last = [], ""
    for part in parts[:-1]:
        if isinstance(part, Image):
            said.append((last.strip().removesuffix(":"), part))
            last = ""
        else:
            last = part.text
    assert isinstance(parts[-1], Text)
    return said


JUDGES = [
    (Judge, "the answer"),
    (lambda model: Judge(model, scores=Expected(5, 1)), "the answer"),
    (lambda model: PYes(model, chains=1), "the answer"),
    (lambda model: PYes(model, scores=Expected(5, 1)), "the answer"),
    (lambda model: Debate(model, Judge(model)), "the answer"),
]


@pytest.mark.parametrize(("make", "name"), JUDGES, ids=range(len(JUDGES)))
def test_a_judge_of_one_is_shown_its_images(make, name):
    """Between the task's own images and the wording, with names; a text alone is asked about as ever."""
    _, seen = judged(make, TWO)
    assert seen
    for parts in seen:
        assert named(parts) == [("", TASK), (f"Image 1 of {name}", BLUE), (f"Image 2 of {name}", RED)]
        assert "a drawing" in parts[-1].text
    _, seen = judged(make, NONE)
    assert all(len(parts) == 2 and named(parts) == [("", TASK)] for parts in seen)


def test_a_judge_of_two_is_told_whose_they_are():
    """In both orders, and by the words of its wording."""
    for make, names in (
        (PairwiseJudge, ("answer A", "answer B")),
        (lambda model: PairwiseJudge(model, scores=Expected(5, 1)), ("the first answer", "the second answer")),
    ):
        _, seen = judged(make, ONE, TWO)
        first, second = names
        assert {tuple(named(parts)) for parts in seen} == {
            (("", TASK), (f"Image 1 of {first}", RED), (f"Image 1 of {second}", BLUE), (f"Image 2 of {second}", RED)),
            (("", TASK), (f"Image 1 of {first}", BLUE), (f"Image 2 of {first}", RED), (f"Image 1 of {second}", RED)),
        }


@pytest.mark.parametrize(
    ("make", "name"), [(ListwiseJudge, "answer"), (UniversalConsistency, "response")], ids=["list", "all"]
)
def test_a_judge_of_many_is_told_whose_they_are(make, name):
    """By the numbers of its list, in whatever order."""
    _, seen = judged(make, ONE, drawn("another"))
    assert seen
    for parts in seen:
        [task, (said, image)] = named(parts)
        assert (task, image) == (("", TASK), RED)
        number = int(said.removeprefix(f"Image 1 of {name} "))
        shown = parts[-1].text.split("```")[1::2]
        assert shown[number - 1].strip() == "a drawing"


def test_answers_that_differ_in_their_images_alone_are_different():
    """Equal texts are no tie then, and no single class."""
    assert judged(PairwiseJudge, ONE, ONE)[1] == []
    assert len(judged(PairwiseJudge, ONE, TWO)[1]) == 2
    assert judged(ListwiseJudge, ONE, ONE)[1] == []
    assert len(judged(ListwiseJudge, ONE, NONE)[1]) == 2
    assert judged(UniversalConsistency, NONE, NONE)[1] == []
    assert len(judged(UniversalConsistency, NONE, TWO)[1]) == 1


def test_what_an_agent_returns_may_be_an_image_or_a_message():
    """With the text that it has."""
    assert Answer.of(Sample(RED)) == Answer("", (RED,))
    assert Answer.of(Sample(Message("assistant", (Text("so: "), RED)))) == Answer("so: ", (RED,))
    assert Answer.of(ONE) == Answer("a drawing", (RED,))
    assert Answer.of(Sample("plain")) == Answer("plain")
    assert Answer.of(Sample({"a": 1})) == Answer("{'a': 1}")


REFUSED = [
    "file:///etc/passwd", "http://10.0.0.1/", "ftp://host/a.png", "data:text/html,<script>", "//host/a.png", "",
    " https://host/a.png", "javascript:alert(1)", "gopher://x", "blob:https://x", "C:\\a.png", "/etc/passwd",
    "https://10.0.0.1/", "https://127.1", "https://2130706433/", "https://0x7f.1/", "https://0x7f000001", "https://a.0x1",
    "https://[::1]/", "https://localhost/", "https://LOCALHOST./", "https://printer", "https://db.internal/",
    "https://x.Local", "https://a.localho\u017ft/", "https://x.org@10.0.0.1/", "https://a:b@x.org/", "https://x.org:22/",
    "https://x.org\\@10.0.0.1/", "https://x.org/\nfile:///x", "https:///etc/passwd", "https://", "https://x..org/",
    "https://\uff11\uff10.0.0.1/", "https://x.org/" + "a" * 10_000,
]  # fmt: skip
PUBLIC = [
    "HTTPS://example.org/a.png", "https://example.org", "https://a-b.example.co.uk:443/x%20y.png?q=1#z",
    "https://example.org./a.png", "https://xn--bcher-kva.example/a", "https://my_bucket.s3.amazonaws.com/a?sig=b%2F",
]  # fmt: skip
JUDGES_OF_ANY = [Judge, lambda m: PYes(m, chains=1), PairwiseJudge, ListwiseJudge, UniversalConsistency, Debate]


@pytest.mark.parametrize("url", REFUSED, ids=range(len(REFUSED)))
def test_no_server_is_made_to_fetch_what_an_answer_names(url):
    """Only data:image/ and https: at a public name are passed on: for all else the sample abstains, without a call."""
    bad = drawn("a drawing", RED, Image(url))
    for make in JUDGES_OF_ANY:
        verdicts, seen = judged(make, bad)
        assert ([verdict.value for verdict in verdicts], seen) == ([None], [])


@pytest.mark.parametrize("url", PUBLIC, ids=range(len(PUBLIC)))
def test_what_is_public_is_passed_on_as_it_is(url):
    """To the letter: signatures stand in URLs."""
    _, [parts] = judged(Judge, drawn("x", Image(url)))
    assert named(parts)[1] == ("Image 1 of the answer", Image(url))


def test_images_are_bounded_in_number_and_size():
    """As texts are; what is beyond abstains and says why."""
    for images in ([RED] * (MOST_IMAGES + 1), [Image("data:image/png;base64," + "A" * LONGEST_IMAGES)]):
        verdicts, seen = judged(Judge, drawn("x", *images))
        assert (verdicts[0].value, seen) == (None, [])
        assert "is not judged" in verdicts[0].feedback
    assert judged(Judge, drawn("x", *[RED] * MOST_IMAGES))[0][0].score == 7
    assert Answer("x" * (LONGEST + 1)).refused


def test_a_server_is_sent_images_as_parts():
    """The JSON of a real request: text and image_url, in order."""

    def grades(prompt, seed, body):
        return says(score=7)

    with Server("vllm", reply=grades) as server:
        judge = Judge(Model(OpenAI(server.url, "test-model")))

        async def go():
            run = Run.root(Search(Problem("p", PROMPT)), 0, Budget())
            return (await run.score(judge, PROMPT, [ONE]))[0].score

        assert asyncio.run(go()) == 7
        [request] = server.requests
    content = request.body["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text", "text"]
    assert content[1]["image_url"]["url"] == RED.url
    assert "A task was given" in content[-1]["text"]


# ---------------------------------------------------------------- a judge with tools


def reckons(text: str) -> str:
    """An agent as judge: it looks something up before it answers."""
    right = str(6 * 7) in text.split("```")[1]
    return json.dumps({"reasoning": f"I reckoned: {6 * 7}", "score": 10 if right else 0})


def test_an_agent_is_a_judge_with_tools():
    """Any generator is a judge; what it does is charged in the role "verify"."""
    from searchkit.function import Function

    judge = Judge(Function(reckons))
    result = solve_sync("How much is 6 * 7?", BestOfN(2, judge), generator=lambda text, index: f"4{index + 1}")
    assert (result.answer, [c.score for c in result.candidates]) == ("42", [0.0, 10.0])
    assert result.usage.generations == 2
    assert result.usage.model_calls == 4
