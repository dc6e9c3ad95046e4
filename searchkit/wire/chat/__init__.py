"""OpenAI's chat completions: `requests.py`, `answers.py`, `events.py`."""
