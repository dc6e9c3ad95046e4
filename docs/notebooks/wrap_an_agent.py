# %% [markdown]
# # A search around your agent
#
# You have an agent: a function that takes a text, returns an answer, and is sometimes wrong. This one stands for yours,
# and may call models, tools, anything. Here it asks the small model that ships with searchkit, through `run`, so that
# its calls and tokens are seen. Where it is shown an earlier attempt, it keeps the first line of it.

# %%
import re

from searchkit import Model, Params, Prompt, Run, Verdict, search, solve, solve_sync
from searchkit.generators import Embedded
from searchkit.lab.checker import problem
from searchkit.lab.countdown import Countdown, Puzzle, check, replay

model = Model(Embedded(), Params(max_tokens=64))


async def agent(question: str, run: Run) -> str:
    task, *rest = question.split("\n")
    attempt = [line + "\n" for line in rest if re.fullmatch(r"\d+[-+*/]\d+=\d+:[\d ]+", line)]
    kept = "".join(attempt[:1])
    [sample] = await run.sample(model, Prompt.of(task + "\n").continued(kept), partial=True)
    return kept + sample.text


puzzle = problem(Countdown().puzzles(6, "dev")[5])
puzzle.id

# %% [markdown]
# You can also tell a good answer from a bad one, at least roughly: here by how far from the target it ends.


# %%
def closeness(prompt: Prompt, answer: str) -> Verdict:
    task = Puzzle.parse(prompt.text)
    wrong = check(task, answer)
    left = replay(task, answer).remaining or (0,)
    distance = min(abs(task.target - number) for number in left)
    return Verdict(1.0 if not wrong else 0.9 / (1 + distance), passed=not wrong, feedback=wrong)


# %% [markdown]
# ## Best of N, without a change to its callers
#
# Decorated, the agent is called as before. It is run up to sixteen times, until an answer passes.

# %%
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate

judge = Predicate(closeness)
better = search(BestOfN(16, judge, first_pass=True))(agent)
print(await better(puzzle.prompt.text))

# %% [markdown]
# `solve` makes the same search and returns more than its answer. What happened is in the trace: each call of the agent
# with what it called, then the verdict on it.

# %%
result = await solve(puzzle.prompt, BestOfN(16, judge, first_pass=True), generator=agent)
print(result.trace.render(most=12))
print(result.stopped, "after", result.usage.generated_tokens, "tokens")

# %% [markdown]
# ## A tree of attempts
#
# `ABMCTS` shows the agent its own attempts together with what the judge said of them, and decides each time whether to
# begin anew or to go on from one that looked promising. Click a node to read the attempt.

# %%
from searchkit.strategies import ABMCTS

found = solve_sync(puzzle, ABMCTS(judge, iterations=24), generator=agent)
print(found.answer)
found.tree

# %%
from searchkit import views

print(views.text(found.tree, most=12))
