"""Agents as environments: the next model call of an agent is what a search sees, and what it answers is an action.

Read `state.py` first (what a state is), then `steps.py`, the environment. Below it: `live.py`, an agent that runs,
`quiet.py`, which tells when it waits for nothing but us, and `stable.py`, those that are kept waiting.
`committing.py` carries out the winner, once. `proposing.py` says who answers, `binding.py` what of a request they are
told beside its messages, `worlds.py` what each agent has to itself, `tally.py` what is counted beside the trace,
`stale.py` what was lost to branches that an agent did not get to again, `left.py` what is left when it is over.
"""
