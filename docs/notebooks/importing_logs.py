# %% [markdown]
# # Somebody else's samples
#
# You have a log: problems, several answers to each, a score of a reward model, whether each is right. A pool of them
# gives every curve, with intervals, and no model is asked. Here the log is made up, in the shape that most tools write,
# a sample a line.

# %%
import json
import random
from pathlib import Path

rng, log = random.Random(3), Path("samples.jsonl")
with log.open("w") as file:
    for number in range(200):
        ease, fooled = rng.random(), rng.random() < 0.6
        for _ in range(32):
            right = rng.random() < ease
            trick = fooled and not right and rng.random() < 0.15  # wrong, and liked by the reward model
            reward = rng.gauss(2.5 if trick else 0.8 if right else 0.0, 0.5)
            answer = str(number) if right else "trick" if trick else str(number + rng.randint(1, 3))
            line = {"task": f"sum {number}", "output": f"The answer is {answer}", "correct": right, "reward": reward}
            file.write(json.dumps(line) + "\n")

# %% [markdown]
# `Pool.of` takes pairs of a problem's name and an `Entry`, in any order. Entries say what estimators read: the answer
# to vote on, the score, whether it is right, what it cost. Of logs of known tools, `searchkit pool import` writes such
# a pool in one command.

# %%
from searchkit.answers import keys
from searchkit.experiments import Entry, Pool

rows = [json.loads(line) for line in log.read_text().splitlines()]
pool = Pool.of(
    (row["task"], Entry(row["output"], keys.number(row["output"]), row["reward"], row["correct"])) for row in rows
)
pool

# %% [markdown]
# All exact curves at once. The reward model's best of N rises, and then falls: with more samples there is more often
# one that it likes and should not.

# %%
pool.curves()

# %% [markdown]
# The gap report says what selection loses at every N, from which N it falls, and what the verifier is worth: whether
# its scores tell right from wrong among the answers that are chosen, and how much it promises. Rewards are no chances,
# so it is told how to read them: `Platt` is fitted on half of the problems, and the report is about the other half.

# %%
from searchkit.experiments import gap_report, labelled
from searchkit.verifiers.combining.calibration import Platt

names = list(pool.entries)
known, rest = (Pool({name: pool.entries[name] for name in names[half::2]}) for half in range(2))
scores, right = ([x for column in columns for x in column] for columns in labelled(known))
report = gap_report(rest, confidence=Platt.fit(scores, right))
report

# %% [markdown]
# The same as a page for others, with every sample in a table that can be filtered: `searchkit report pool.jsonl`.

# %%
from searchkit.experiments.report import pool_report

pool.save("pool.jsonl")
print(pool_report(rest, report, "pool.html", "Sums, held out"))
print(report.fall)
