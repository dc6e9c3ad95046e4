"""What several families of strategies share.

`actions.py`: the actions that may be taken in a state. `siblings.py`: how the generator sees those that were tried.
`transition.py`: where one of them led, judged. `checks.py`: mistakes in a configuration. `choosing.py`: the last
step, by a selection rule or without. `scoring.py`: verdicts on what is kept without them as well. `quoting.py`:
answers as a model is shown them. `reserving.py`: what a strategy keeps of a budget. `likelihoods.py`: what answers
weigh in votes. `sources.py`: several generators to choose from. `thompson.py`: posteriors and draws.
"""
