"""The lab: small tasks with checkers, the models that ship for them, and how these were trained.

`countdown.py` and `arithmetic.py` are the tasks, `checker.py` their problems and verifiers, `environment.py` their
steps, `traces.py` puzzles for spawn and join, `reward.py` the reward models that ship, `rules.py` a policy made of
rules. `weights/` holds the models as data; `train.py`, `train_reward.py`, `train_traces.py`, `rollouts.py`, `export.py`
and `export_reward.py` made them, `evaluate_reward.py` measures them.
"""
