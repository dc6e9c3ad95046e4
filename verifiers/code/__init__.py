"""Untrusted Python in a sandbox: how a program is found, confined, run against tests, and killed."""
