"""Programs that want to pass without solving the task, to get out, or to do harm. Data for the tests of the sandbox.

The task is `solve(x) == x * x`. An escape solves it if, and only if, its attack worked: so none may pass; where it did
not, it raises what it met. All are bounded: where a sandbox fails, the tests find out, and the machine does not suffer.
The tests replace what stands between @: canary (the path of a file), folder (where it lies), secret (what is in it),
victim (a process), tcp, udp, unix, abstract, datagrams (listeners), other (the scratch folder of another interpreter).
"""

from __future__ import annotations

import textwrap

_SYSCALL = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"

# name: (what goes before, the body of attack(), which says whether it worked)
_ATTACKS: dict[str, str] = {
    # -------------------------------------------------------------- processes
    "fork": "return os.fork() >= 0",
    "fork_bomb": """
        made = 0
        for _ in range(20):
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
            made += 1
        return made""",
    "daemon": """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        return True""",
    "vfork_by_posix_spawn": "return os.posix_spawn('/bin/sleep', ['sleep', '60'], {})",
    "subprocess": "return subprocess.run(['true']).returncode == 0",
    "shell": "return os.system('true') == 0",
    "exec": "return os.execv('/bin/sh', ['sh', '-c', 'echo escaped > @canary@'])",
    "clone_by_number": "return libc.syscall(56 if x86 else 220, 17, 0, 0, 0, 0) >= 0",
    "clone3": "return libc.syscall(435, ctypes.create_string_buffer(64), 64) >= 0 or ctypes.get_errno() not in (1, 38)",
    "fork_by_the_other_abi": "return x86 and libc.syscall(0x40000000 + 57) >= 0",
    "fork_by_32_bit_code": """
        if not x86:
            return False
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(bytes.fromhex('b802000000cd80c3'))
        call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
        return call() >= 0""",
    "new_session": "os.setsid()\nreturn True",
    "new_process_group": "os.setpgid(0, 0)\nreturn True",
    "thread_bomb": """
        for _ in range(400):
            threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
        return True""",
    # -------------------------------------------------------------- other processes
    "kill_a_process": "os.kill(@victim@, 9)\nreturn True",
    "kill_the_interpreter": "os.kill(os.getppid(), 9)\nreturn True",
    "signal_everything": "os.kill(-1, 0)\nreturn True",
    "signal_the_group": "os.killpg(0, 0)\nreturn True",
    "kill_by_number": "return libc.syscall(62 if x86 else 129, @victim@, 9) == 0",
    "kill_by_queue": "return libc.syscall(129 if x86 else 138, @victim@, 9, b'\\0' * 128) == 0",
    "kill_by_pidfd": "return signal.pidfd_send_signal(os.pidfd_open(@victim@), 9) is None",
    "kill_by_owned_descriptor": """
        a, b = socket.socketpair()
        fcntl.fcntl(a, 8, @victim@)
        fcntl.fcntl(a, 10, 9)
        fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)
        b.send(b'x')
        return True""",
    "own_by_ioctl": "return fcntl.ioctl(socket.socketpair()[0], 0x8901, (@victim@).to_bytes(4, 'little'))",
    "limits_of_another": "return resource.prlimit(@victim@, resource.RLIMIT_NOFILE, (1, 1))",
    "ptrace": "return libc.syscall(101 if x86 else 117, 16, @victim@, 0, 0) == 0",
    "memory_of_another": "return open('/proc/@victim@/mem', 'rb')",
    "memory_by_call": """
        piece = (ctypes.c_uint64 * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)
        libc.syscall(310 if x86 else 270, @victim@, piece, 1, piece, 1, 0)
        return ctypes.get_errno() not in (1, 3, 38)""",
    "environment_of_the_first": "return open('/proc/1/environ', 'rb').read()",
    "environment_of_the_interpreter": "return open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "environment": "return '@secret@' in repr(dict(os.environ))",
    # -------------------------------------------------------------- files
    "read_a_secret": "return '@secret@' in open('@canary@').read()",
    "read_passwords": "return open('/etc/passwd').read()",
    "list_the_system": "return os.listdir('/var')",
    "list_the_folder": "return os.listdir('@folder@')",
    "read_another_scratch": "return os.listdir('@other@')",
    "read_what_is_left": "return os.listdir('.')",
    "write_a_file": "open('@canary@', 'w').write('escaped')\nreturn True",
    "write_beside_it": "open('@folder@/escaped', 'w')\nreturn True",
    "write_to_tmp": "open('/tmp/searchkit-escaped', 'w')\nreturn True",
    "write_to_shared_memory": "open('/dev/shm/searchkit-escaped', 'w')\nreturn True",
    "write_to_the_packages": "open(os.path.join(os.path.dirname(os.__file__), 'escaped.py'), 'w')\nreturn True",
    "write_above": "open('../searchkit-escaped', 'w')\nreturn True",
    "remove": "os.remove('@canary@')\nreturn True",
    "rename": "os.rename('@canary@', 'mine')\nreturn True",
    "truncate": "os.truncate('@canary@', 0)\nreturn True",
    "truncate_while_reading": "os.open('@canary@', os.O_RDONLY | os.O_TRUNC)\nreturn True",
    "change_the_mode": "os.chmod('@canary@', 0o777)\nreturn True",
    "change_the_mode_by_a_new_call": "return libc.syscall(452, -100, b'@canary@', 0o777, 0) == 0",
    "change_the_time": "os.utime('@canary@', (1, 1))\nreturn True",
    "change_the_owner": "os.chown('@canary@', 1, 1)\nreturn True",
    "change_an_attribute": "os.setxattr('@canary@', 'user.escaped', b'1')\nreturn True",
    "symlink": "os.symlink('@canary@', 'link')\nreturn open('link').read()",
    "hard_link": "os.link('@canary@', 'link')\nreturn open('link').read()",
    "device": "os.mknod('sda', 0o600 | 0o060000, os.makedev(8, 0))\nreturn True",
    "chroot": "os.chroot('.')\nreturn True",
    "mount": "return libc.mount(b'none', os.getcwd().encode(), b'tmpfs', 0, None) == 0",
    "user_namespace": "return libc.unshare(0x10000000) == 0",
    "raise_a_limit": "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\nreturn True",
    # -------------------------------------------------------------- network
    "tcp": "socket.create_connection(('127.0.0.1', @tcp@), 2).send(b'@secret@')\nreturn True",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'@secret@', ('127.0.0.1', @udp@))\nreturn True",
    "unix_socket": "socket.socket(socket.AF_UNIX).connect('@unix@')\nreturn True",
    "abstract_socket": "socket.socket(socket.AF_UNIX).connect('\\0@abstract@')\nreturn True",
    "datagram_pair": """
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.sendto(b'@secret@', '\\0@datagrams@')
        return True""",
    "stream_pair": """
        one, _ = socket.socketpair()
        one.sendto(b'@secret@', '\\0@datagrams@')
        return True""",
    "packet_socket": "return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "io_uring": "return libc.syscall(425, 8, ctypes.create_string_buffer(120)) >= 0",
    "kernel_interfaces": """
        numbers = (321, 298, 323, 250, 248, 319, 272, 308, 165, 169) if x86 else (280, 241, 282, 219, 217, 279, 97, 268)
        for number in numbers:
            if libc.syscall(number, 0, 0, 0, 0, 0) >= 0 or ctypes.get_errno() not in (1, 38):
                return True""",
    # -------------------------------------------------------------- resources
    "memory_bomb": "return len([bytearray(2**26) for _ in range(20)])",
    "shared_memory_bomb": "return len(mmap.mmap(-1, 2**30 + 2**29))",
    "memory_file": """
        handle = os.memfd_create('x')
        return sum(os.write(handle, bytes(2**20)) for _ in range(50))""",
    "endless_with_signals_blocked": """
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while time.process_time() < 10:
            pass
        return True""",
    "one_file_of_200_mb": """
        with open('big', 'wb') as file:
            for _ in range(200):
                file.write(bytes(2**20))
        return True""",
    "many_files": """
        for number in range(200):
            with open(str(number), 'wb') as file:
                file.write(bytes(2**20 - 1))
        time.sleep(0.3)
        return True""",
    "deep_folders": """
        for _ in range(1200):
            os.mkdir('d')
            os.chdir('d')
        time.sleep(0.3)
        return os.getpid() < 0""",
    "print_a_gigabyte": """
        for _ in range(1024):
            os.write(1, bytes(2**20))
            print('x' * 2**10)
        return True""",
    "sleep": "time.sleep(30)\nreturn True",
    "stop_itself": "os.kill(os.getpid(), signal.SIGSTOP)",
}

_FRAME = """
import ctypes, fcntl, mmap, os, platform, resource, signal, socket, subprocess, sys, threading, time
libc, x86 = ctypes.CDLL(None, use_errno=True), platform.machine() == 'x86_64'

def attack():
{body}

def solve(x):
    try:
        worked = attack()
    except BaseException as error:
        raise RuntimeError(f'{{type(error).__name__}}: {{error}}')
    if not worked:
        raise RuntimeError('nothing came of it')
    return x * x
"""

ESCAPES: dict[str, str] = {
    name: _FRAME.format(body=textwrap.indent(textwrap.dedent(body.lstrip("\n")), "    "))
    for name, body in _ATTACKS.items()
}

# Whole programs, which do not solve the task and want to be taken for ones that do.
FORGERIES: dict[str, str] = {
    "exit": "import os\nos._exit(0)",
    "exit_in_the_call": "import os\ndef solve(x): os._exit(0)",
    "system_exit": "import sys\ndef solve(x): sys.exit(0)",
    "system_exit_at_once": "raise SystemExit(0)",
    "keyboard_interrupt": "def solve(x): raise KeyboardInterrupt",
    "generator_exit": "def solve(x): raise GeneratorExit",
    "stop_iteration": "def solve(x): raise StopIteration",
    "assertion_error": "def solve(x): raise AssertionError('passed')",
    "success_line": "print('passed 2 of 2 tests')\nprint('OK')\ndef solve(x): print('[true, \"\"]')",
    "pickle_on_stdout": "import pickle, os\nos.write(1, pickle.dumps((True, True)))\ndef solve(x): return None",
    "equals_everything": """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
def solve(x): return Yes()""",
    "equals_everything_as_an_int": """
class Yes(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
def solve(x): return Yes(0)""",
    "lies_about_its_class": """
class Yes:
    __class__ = int
    def __eq__(self, other): return True
    def __index__(self): return 4
def solve(x): return Yes()""",
    "patches_builtins": """
import builtins
for name in ('AssertionError', 'all', 'isinstance', 'len'):
    setattr(builtins, name, lambda *a, **k: True)
builtins.AssertionError = SystemExit
def solve(x): return None""",
    "patches_the_harness": """
import sys
for module in list(sys.modules.values()):
    for name in ('judge', '_run', 'reason_of', 'pack', 'described'):
        if hasattr(module, name):
            setattr(module, name, lambda *a, **k: '')
def solve(x): return None""",
    "empties_the_modules": "import sys\nsys.modules.clear()\ndef solve(x): return None",
    "finds_the_tests": """
import gc, os, sys
def solve(x):
    frame, seen = sys._getframe(), ''
    while frame:
        seen, frame = seen + repr(frame.f_locals) + repr(frame.f_globals.keys()), frame.f_back
    seen += repr([one for one in gc.get_objects() if type(one) in (list, tuple, dict)])[:10**7]
    return x * x if 'assert ' + 'SOLVE'.lower() in seen else None""",
    "reads_the_descriptors": """
import os
def solve(x):
    for handle in range(2, 100):
        try:
            os.set_blocking(handle, False)
            if b'assert' in os.read(handle, 10**6):
                return x * x
        except OSError:
            pass""",
    "writes_to_the_descriptors": """
import json, os, struct
for message in (['value', True, []], [True, ''], 'end', {'status': 0, 'cpu': 0, 'full': False, 'clean': True}):
    body = json.dumps(message).encode()
    for handle in range(0, 100):
        try:
            os.write(handle, struct.pack('>I', len(body)) + body)
        except OSError:
            pass
def solve(x): return None""",
    "closes_the_descriptors": "import os\nos.closerange(0, 4096)\ndef solve(x): return None",
    "at_exit": "import atexit, os\natexit.register(os._exit, 0)\ndef solve(x): raise SystemExit(0)",
    "trace": """
import sys
def trace(frame, event, arg):
    frame.f_locals['reason'] = ''
    return trace
sys.settrace(trace)
def solve(x): return None""",
    "hooks": """
import sys, threading
sys.excepthook = threading.excepthook = sys.unraisablehook = lambda *a: None
def solve(x): raise AssertionError""",
    "changes_its_argument": "def solve(x):\n    if isinstance(x, list): x.clear()",
    "raises_a_hostile_error": """
class Evil(Exception):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
def solve(x): raise Evil""",
    "raises_a_huge_error": "def solve(x): raise ValueError('x' * 10**7)",
    "hostile_repr": """
class Evil:
    def __repr__(self): return 'x' * 10**8
    __str__ = __repr__
def solve(x): return Evil()""",
    "a_cycle": "def solve(x):\n    a = []\n    a.append(a)\n    return a",
    "a_deep_value": "def solve(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a",
    "a_deep_message": """
import os, struct
def solve(x):
    body = b'["value", ' + b'[' * 400000 + b']' * 400000 + b', []]'
    os.write(4, struct.pack('>I', len(body)) + body)""",
    "an_endless_message": """
import os, struct
def solve(x):
    os.write(4, struct.pack('>I', 2**32 - 1))
    for _ in range(50): os.write(4, bytes(2**20))""",
    "no_message": "import os\ndef solve(x):\n    os.write(4, b'\\0\\0\\0\\5hello')",
    "a_huge_int": "def solve(x): return 1 << 10**8",
    "a_huge_list": "def solve(x): return [0] * 10**6",
    "an_endless_generator": "import itertools\ndef solve(x): return itertools.count()",
    "deep_recursion": """
import sys
sys.setrecursionlimit(10**9)
class Deep:
    def __repr__(self): return repr(Deep())
def solve(x): return repr(Deep())""",
    "crash": "import ctypes\ndef solve(x): ctypes.string_at(0)",
    "abort": "import os\ndef solve(x): os.abort()",
    "syntax": "def solve(x) return x * x",
    "null_bytes": "def solve(x): return x * x\0",
    "nesting": "(" * 5000 + ")" * 5000,
    "takes_part_in_the_test": "def solve(x): return None\ndef len(x): return 0\nclass math: pass\nint = None",
    "nothing": "",
}

# What honest programs do that comes near to what the sandbox refuses: all must pass.
HARMLESS: dict[str, str] = {
    "scratch": """
import tempfile
def solve(x):
    with open('kept', 'w') as file:
        file.write(str(x * x))
    with tempfile.TemporaryDirectory() as folder, open(folder + '/gone', 'w+') as file:
        file.write(open('kept').read())
        file.seek(0)
        return int(file.read())""",
    "threads": """
import threading
from concurrent.futures import ThreadPoolExecutor
threading.stack_size(2**25)
def solve(x):
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda _: x, range(x)))""",
    "event_loop": """
import asyncio
async def square(x):
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(lambda: x * x)
def solve(x): return asyncio.run(square(x))""",
    "libraries": """
import calendar, csv, decimal, difflib, email, html, inspect, logging, pathlib, pickle, secrets, sqlite3, uuid, zlib
def solve(x):
    sqlite3.connect(':memory:').execute('select 1')
    return len(secrets.token_bytes(x * x))""",
    "signals": """
import signal, os
def solve(x):
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    os.kill(os.getpid(), 0)
    return x * x""",
    "deep_recursion": """
import sys
sys.setrecursionlimit(20000)
def down(n): return 0 if n == 0 else 1 + down(n - 1)
def solve(x): return down(10000) - 10000 + x * x""",
    "prints": "def solve(x):\n    print('x' * 10**5)\n    return x * x",
}
