"""The system calls that a program may make: a filter in the kernel, which no code can take off again.

It lists what is allowed, so that what is not known here, or comes with a later kernel, is refused. What it keeps out:
new processes and other programs (fork, execve: so a program is one process, and its limits are limits on all of it),
sockets of any family, io_uring, signals to other processes in all their forms, reading other processes' memory, and
changing modes, owners and times of files, which Landlock does not govern; files that are made run as nobody else.

Runs inside the sandbox: imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct

REFUSED, ABSENT = 1, 38  # EPERM, and ENOSYS: the C library then tries an older call

# name: (x86-64, aarch64); None where the machine has no such call
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "futex": (202, 98), "mmap": (9, 222), "munmap": (11, 215), "brk": (12, 214),
    "mremap": (25, 216), "mprotect": (10, 226), "madvise": (28, 233), "close": (3, 57), "fstat": (5, 80),
    "newfstatat": (262, 79), "stat": (4, None), "lstat": (6, None), "statx": (332, 291), "lseek": (8, 62),
    "getdents64": (217, 61), "poll": (7, None), "ppoll": (271, 73),
    "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "rmdir": (84, None), "unlink": (87, None),
    "unlinkat": (263, 35), "ftruncate": (77, 46), "fsync": (74, 82), "fdatasync": (75, 83), "umask": (95, 166),
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59),
    "close_range": (436, 436), "select": (23, None), "pselect6": (270, 72), "epoll_create": (213, None),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22),
    "eventfd2": (290, 19), "recvfrom": (45, 207), "shutdown": (48, 210), "getpid": (39, 172), "getppid": (110, 173),
    "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getpgrp": (111, None), "getrlimit": (97, 163), "getrusage": (98, 165), "times": (100, 153), "uname": (63, 160),
    "sysinfo": (99, 179), "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getcpu": (309, 168),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "pause": (34, None),
    "alarm": (37, None), "getitimer": (36, 102), "setitimer": (38, 103), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, None), "getrandom": (318, 278), "set_robust_list": (273, 99),
    "set_tid_address": (218, 96), "rseq": (334, 293), "membarrier": (324, 283), "restart_syscall": (219, 128),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
CLONE, KILL, TGKILL, PRLIMIT, FCNTL, IOCTL, PRCTL, SOCKETPAIR, SENDTO = (
    (56, 220), (62, 129), (234, 131), (302, 261), (72, 25), (16, 29), (157, 167), (53, 199), (44, 206),
)  # fmt: skip
OPEN, OPENAT, MKDIR, MKDIRAT = (2, None), (257, 56), (83, None), (258, 34)
SOCKET, FORK, VFORK, EXECVE = (41, 198), (57, None), (58, None), (59, 221)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, the kernel's name of the machine

LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # the instructions of a filter
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
CLONE_THREAD = 0x10000
FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)  # duplicates, flags, locks; not F_SETOWN and F_SETSIG: they send signals
IOCTLS = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # is it a terminal, its size, bytes waiting, blocking, cloexec
MAKES, AS_ANOTHER = 0o100 | 0o20000000, 0o6000  # a file is made, also one without a name; it runs as its owner, group
STREAMS = tuple(1 | flags for flags in (0, 0x800, 0x80000, 0x80800))  # a datagram socket can send to any address

SET_SECCOMP, BY_FILTER = 22, 2
SOMEONE = 0x7FEDCBA9  # no process has this number
LIBC = ctypes.CDLL(None, use_errno=True)

Condition = tuple[int, int, tuple[int, ...]]  # offset of a word of the arguments, test, values one of which it must be


def supported() -> bool:
    """Whether this is a machine whose system calls we know."""
    return platform.system() == "Linux" and platform.machine() in MACHINES and struct.calcsize("P") == 8


def program(pid: int) -> bytes:
    """The filter for the process `pid`, as the kernel reads it."""
    return template().replace(struct.pack("I", SOMEONE), struct.pack("I", pid))


@functools.cache
def template(pid: int = SOMEONE) -> bytes:
    """The filter for a process to be named."""
    column, machine = MACHINES[platform.machine()]
    code = [_one(LOAD, 4), _one(EQUAL, machine, 1, 0), _one(RETURN, KILL_PROCESS), _one(LOAD, 0)]
    for numbers in ALLOWED.values():
        code += _rule(numbers[column], [_one(RETURN, ALLOW)])
    for numbers, conditions in _conditional(pid):
        code += _rule(numbers[column], [*(one for test in conditions for one in _test(test)), _one(RETURN, ALLOW)])
    for numbers, flags, mode in ((OPEN, 1, 2), (OPENAT, 2, 3), (MKDIR, None, 1), (MKDIRAT, None, 2)):
        code += _rule(numbers[column], _plain_mode(flags, mode))
    for numbers in (SOCKET, FORK, VFORK, EXECVE):
        code += _rule(numbers[column], [_one(RETURN, ERRNO | REFUSED)])
    return b"".join([*code, _one(RETURN, ERRNO | ABSENT)])


class Filter:
    """A filter in memory, as the kernel wants it: made once, before processes are forked that put it on."""

    def __init__(self) -> None:
        code, nobody = template(), struct.pack("I", SOMEONE)
        self._text = ctypes.create_string_buffer(code, len(code))
        self._header = ctypes.create_string_buffer(
            struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(self._text)), 16
        )
        self._arguments = tuple(map(ctypes.c_ulong, (SET_SECCOMP, BY_FILTER, ctypes.addressof(self._header), 0, 0)))
        self._places: list[int] = [at for at in range(4, len(code), 8) if code[at : at + 4] == nobody]

    def install(self) -> None:
        """Put it on this process, with all threads that it will have. Needs no_new_privs; raises `OSError`."""
        for at in self._places:
            struct.pack_into("I", self._text, at, os.getpid())
        if LIBC.prctl(*self._arguments):
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


def _conditional(pid: int) -> list[tuple[tuple[int | None, int | None], list[Condition]]]:
    """Calls that are allowed for some arguments only."""
    return [
        (CLONE, [(_word(0), ANY_BIT, (CLONE_THREAD,))]),
        (KILL, [(_word(0), EQUAL, (pid,))]),
        (TGKILL, [(_word(0), EQUAL, (pid,))]),
        (PRLIMIT, [(_word(0), EQUAL, (0, pid))]),
        (FCNTL, [(_word(1), EQUAL, FCNTLS)]),
        (IOCTL, [(_word(1), EQUAL, IOCTLS)]),
        (PRCTL, [(_word(0), EQUAL, (15, 16))]),  # the name of a thread
        (SOCKETPAIR, [(_word(0), EQUAL, (1,)), (_word(1), EQUAL, STREAMS)]),  # asyncio wakes itself up by one
        (SENDTO, [(_word(4), EQUAL, (0,)), (_word(4) + 4, EQUAL, (0,))]),  # to nobody but the other end
    ]


def _plain_mode(flags: int | None, mode: int) -> list[bytes]:
    """Refuse what is made to run as its owner or group. flags: which argument says whether anything is made."""
    tell = [_one(LOAD, _word(mode)), _one(ANY_BIT, AS_ANOTHER, 0, 1), _one(RETURN, ERRNO | REFUSED)]
    if flags is not None:  # else nobody sets a mode, and anything may stand there
        tell = [_one(LOAD, _word(flags)), _one(ANY_BIT, MAKES, 0, len(tell)), *tell]
    return [*tell, _one(RETURN, ALLOW)]


def _word(argument: int) -> int:
    """Where the kernel puts the lower half of an argument."""
    return 16 + 8 * argument


def _one(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", operation, if_true, if_false, value)


def _rule(number: int | None, then: list[bytes]) -> list[bytes]:
    return [] if number is None else [_one(EQUAL, number, 0, len(then)), *then]


def _test(condition: Condition) -> list[bytes]:
    """Go on behind these instructions if the word is one of the values; else refuse the call."""
    offset, operation, values = condition
    jumps = [_one(operation, value, len(values) - i, 0) for i, value in enumerate(values)]
    return [_one(LOAD, offset), *jumps, _one(RETURN, ERRNO | REFUSED)]
