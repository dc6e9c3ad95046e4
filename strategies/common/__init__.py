"""What several families of strategies share.

`actions.py`: the actions that may be taken in a state. `transition.py`: where one of them led, judged. `checks.py`:
mistakes in a configuration. `choosing.py`: the last step, by a selection rule or without. `sources.py`: several
generators to choose from. `thompson.py`: posteriors and draws.
"""
