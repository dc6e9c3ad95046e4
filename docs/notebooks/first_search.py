# %% [markdown]
# # A first search
#
# The same search in a plain cell and with `await`, what it tells about itself, and a tree that grows while you watch.
# Everything runs offline, on the small model that ships with searchkit: it plays Countdown, that is, it combines
# numbers with + - * / to reach a target.

# %%
from searchkit import Model, Params, solve, solve_sync
from searchkit.generators import Embedded
from searchkit.lab.checker import CHECKER, operations, problem
from searchkit.lab.countdown import Countdown
from searchkit.strategies import Rollout

model = Model(Embedded(), Params(max_tokens=64))
problems = [problem(puzzle) for puzzle in Countdown().puzzles(12, "dev")]
puzzle = problems[4]
puzzle.id

# %% [markdown]
# ## Best of sixteen
#
# Sixteen samples, each judged by an exact checker. `solve_sync` works in a notebook as it does in a script.

# %%
from searchkit.strategies import BestOfN

result = solve_sync(puzzle, BestOfN(16, CHECKER), generator=model)
right = [scored for scored in result.candidates if scored.verdict.passed]
print(len(right), "of", result.usage.generations, "samples are right")
result

# %% [markdown]
# With `await` it is the same search: equal seeds give equal results, whatever the concurrency.

# %%
again = await solve(puzzle, BestOfN(16, CHECKER), generator=model)
again.answer == result.answer and again.trace.canonical() == result.trace.canonical()

# %% [markdown]
# The trace says what was called, and what each call returned.

# %%
result.trace

# %% [markdown]
# ## A tree that shows itself
#
# A tree search plants a tree. `Live` redraws it while it grows; afterwards the tree is a view of its own: drag to pan,
# click a node for its text and numbers.

# %%
from searchkit.lab.environment import CountdownSteps
from searchkit.strategies import MCTS
from searchkit.views import Live

search = MCTS(CHECKER, environment=CountdownSteps(), evaluation=Rollout(), iterations=16, width=4)
with Live() as live:
    found = solve_sync(puzzle, search, generator=model, listen=live)

# %%
found.tree

# %% [markdown]
# ## Many problems
#
# `draw` samples a whole set of problems into a pool, with a bar that shows how far it is.

# %%
from searchkit.experiments import draw

pool = await draw(problems, model, 8, verifier=CHECKER, key=operations, progress=True)
pool
