"""Environments: what a state is, and what an action does to it."""
