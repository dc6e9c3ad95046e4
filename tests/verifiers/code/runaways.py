"""Kept copies of tests that run away, with a program that lets them: each ends the process that it is run in, or fills
it up for all that come after. `DualAgreement` once failed every test behind the first of them."""

from __future__ import annotations

# The square of x, but for some x: these the tests below ask for.
PROGRAM = """
import os, sys
hoard = []
def f(x):
    if x == 10**9:
        while True: pass
    if x == -1:
        os._exit(0)
    if x == -2:
        while True: print('x' * 1000)
    if x == -3:
        while True: hoard.append(bytearray(2**22))
    if x == -4:
        os.kill(os.getpid(), 9)
    if x == -5:
        global square
        square = lambda x: 0
    if x == -6:
        for number in range(1000): hoard.append(open(os.devnull))
    if x == -7:
        sys.stdin.close(), os.closerange(3, 100)
    if x == -8:
        import threading
        threading.Thread(target=f, args=(10**9,)).start()
    return square(x)
def square(x): return x * x
"""
RUNAWAYS = {
    "endless": "assert f(10**9) == 'never'",
    "exit": "assert f(-1) == 'never'",
    "prints": "assert f(-2) == 'never'",
    "memory": "assert f(-3) == 'never'",
    "killed": "assert f(-4) == 'never'",
    "changes the program": "assert f(-5) == 'never'",
    "files": "assert f(-6) == 'never'",
    "descriptors": "assert f(-7) == 'never'",
    "a thread": "assert f(-8) == 'never'",
    "endless in the test": "assert f(2) == sum(range(10**12))",
    "memory in the test": "assert f(2) == len(list(range(10**11)))",
}
