"""What the tests and the program hold both is one list, as in plain Python: the oracle runs both in one process."""

# ruff: noqa: E501 - a program and a test are one line each

from __future__ import annotations

import pytest

from tests.helpers.programs import verdict


def in_one_process(program, test):
    """Whether the test passes behind the program."""
    names = {}
    exec(program, names)
    try:
        exec(test, names)
    except Exception:
        return False
    return True


# A program, and tests of it, right ones and wrong ones.
CASES = [
    (
        "class Inv:\n    def __init__(self): self.items=[]\n    def get(self): return self.items\n    def add(self,x): self.items.append(x)\n    def copy(self): return list(self.items)\n    def size(self): return len(self.items)\n",
        [
            "i=Inv()\ni.get().append(1)\nassert i.get()==[]",
            "i=Inv()\ni.get().append(1)\nassert i.get()==[1]",
            "i=Inv()\ni.copy().append(1)\nassert i.get()==[]",
            "i=Inv()\nx=i.get()\ni.add(3)\nassert x==[]",
            "i=Inv()\nx=i.get()\ni.add(3)\nassert x==[3]",
            "i=Inv()\nx=i.items\ny=i.get()\nassert x is y\nx.append(1)\nassert y==[]",
            "i=Inv()\nassert i.items==[]\ni.add(2)\nassert i.items==[2]",
        ],
    ),
    (
        "class Bag:\n    def __init__(self,a): self.a=a\n    def size(self): return len(self.a)\n    def push(self,x): self.a.append(x)\n",
        [
            "a=[1]\nb=Bag(a)\na.append(2)\nassert b.size()==2",
            "a=[1]\nb=Bag(a)\na.append(2)\nassert b.size()==1",
            "a=[1]\nb=Bag(a)\nb.push(2)\nassert b.size()==2",
            "a=[1]\nb=Bag(a)\nb.push(2)\nassert a==[1]",
            "a=[1]\nb=Bag(a)\nc=Bag(a)\nb.push(2)\nassert c.size()==1",
            "a=[1]\nb=Bag(a)\na.append(2)\nn=b.size()\na.pop()\nassert n==1 and b.size()==1",
        ],
    ),
    (
        "class Bag:\n    def __init__(self,a): self.a=list(a)\n    def size(self): return len(self.a)\n    def push(self,x): self.a.append(x)\n",
        [
            "a=[1]\nb=Bag(a)\na.append(2)\nassert b.size()==1",
        ],
    ),
    (
        "def f(a): return (x*2 for x in a)",
        [
            "a=[1,2]\ng=f(a)\na.append(3)\nassert list(g)==[2,4]",
            "a=[1,2]\ng=f(a)\na.append(3)\nassert list(g)==[2,4,6]",
        ],
    ),
    (
        "def f(a): return map(str,a)",
        [
            "a=[1,2]\ng=f(a)\na.append(3)\nassert list(g)==['1','2']",
        ],
    ),
    (
        "def f(a,b): return zip(a,b)",
        [
            "a=[1,2]\ng=f(a,[1,2,3])\na.append(3)\nassert len(list(g))==2",
        ],
    ),
    (
        "def f(a): return reversed(a)",
        [
            "a=[1,2]\ng=f(a)\na[0]=5\nassert list(g)==[2,1]",
        ],
    ),
    (
        "def f(d): return d.values()",
        [
            "d={'a':1}\nv=f(d)\nd['b']=2\nassert list(v)==[1]",
        ],
    ),
    (
        "def f(d): return d.keys()",
        [
            "d={'a':1}\nv=f(d)\nd['b']=2\nassert list(v)==['a','b']",
        ],
    ),
    (
        "def f(d): return d.items()",
        [
            "d={'a':1}\nv=f(d)\nd['b']=2\nassert list(v)==[('a',1)]",
        ],
    ),
    (
        "def f(d): return list(d.items())",
        [
            "d={'a':1}\nv=f(d)\nd['b']=2\nassert list(v)==[('a',1)]",
        ],
    ),
    (
        "class S:\n    def __init__(s): s.d={}\n    def put(s,k,v): s.d[k]=v\n    def vals(s): return s.d.values()\n",
        [
            "s=S()\nv=s.vals()\ns.put(1,2)\nassert list(v)==[]",
            "s=S()\nv=s.vals()\ns.put(1,2)\nassert list(v)==[2]",
        ],
    ),
    (
        "from functools import lru_cache\n@lru_cache\ndef f(n): return [n]",
        [
            "f(1).append(2)\nassert f(1)==[1]",
            "f(1).append(2)\nassert f(1)==[1,2]",
        ],
    ),
    (
        "def f(x,acc=[]):\n    acc.append(x)\n    return acc",
        [
            "a=f(1)\nb=f(2)\nassert a==[1] and b==[1,2]",
        ],
    ),
    (
        "def f(x,acc=[]):\n    acc.append(x)\n    return list(acc)",
        [
            "a=f(1)\nb=f(2)\nassert a==[1] and b==[1,2]",
        ],
    ),
    (
        "class C:\n    def __init__(self,opts=[]): self.opts=opts",
        [
            "a=C()\nb=C()\na.opts.append(1)\nassert b.opts==[]",
        ],
    ),
    (
        "class C:\n    def __init__(self,opts=None): self.opts=opts or []",
        [
            "a=C()\nb=C()\na.opts.append(1)\nassert b.opts==[]",
        ],
    ),
    (
        "class C:\n    reg={}\n    def get(self): return self.reg",
        [
            "C.reg['a']=1\nassert C().get()=={}",
            "a=C()\nb=C()\na.get()['x']=1\nassert b.get()=={}",
            "a=C()\nb=C()\na.get()['x']=1\nassert b.get()=={'x':1}",
        ],
    ),
    (
        "LOG=[]\ndef f(x):\n    LOG.append(x)\n    return LOG",
        [
            "a=f(1)\nf(2)\nassert a==[1]",
        ],
    ),
    (
        "LOG=[]\ndef f(x):\n    LOG.append(x)\n    return len(LOG)",
        [
            "LOG.append(9)\nassert f(2)==1",
        ],
    ),
    (
        "class Grid:\n    def __init__(s,n,m): s.g=[[0]*m for _ in range(n)]\n    def row(s,i): return s.g[i]\n    def all(s): return s.g\n    def rows(s): return list(s.g)\n    def tup(s): return tuple(s.g)\n",
        [
            "g=Grid(2,2)\ng.row(0)[0]=5\nassert g.row(0)==[0,0]",
        ],
    ),
    (
        "class Grid:\n    def __init__(s,n,m): s.g=[[0]*m for _ in range(n)]\n    def row(s,i): return s.g[i]\n    def rows(s): return list(s.g)\n",
        [
            "g=Grid(2,2)\ng.rows()[0][0]=5\nassert g.row(0)==[0,0]",
        ],
    ),
    (
        "class Grid:\n    def __init__(s,n,m): s.g=tuple([0]*m for _ in range(n))\n    def row(s,i): return s.g[i]\n    def rows(s): return [s.g]\n",
        [
            "g=Grid(2,2)\ng.rows()[0][0][0]=5\nassert g.row(0)==[0,0]",
        ],
    ),
    (
        "def grid(n): return [[0]*n]*n",
        [
            "g=grid(2)\ng[0][0]=1\nassert g==[[1,0],[0,0]]",
        ],
    ),
    (
        "def grid(n): return [[0]*n for _ in range(n)]",
        [
            "g=grid(2)\ng[0][0]=1\nassert g==[[1,0],[0,0]]",
        ],
    ),
    (
        "def f(a): return a",
        [
            "a=[1]\nb=f(a)\nb.append(2)\nassert a==[1]",
        ],
    ),
    (
        "def f(a): return sorted(a)",
        [
            "a=[2,1]\nb=f(a)\nb.append(2)\nassert a==[2,1] and b==[1,2,2]",
        ],
    ),
    (
        "def f(a): return [a,a]",
        [
            "a=[1]\nb=f(a)\nb[0].append(2)\nassert b[1]==[1]",
        ],
    ),
    (
        "def run(cb):\n    p=[]\n    for i in range(2):\n        p.append(i)\n        cb(p)",
        [
            "out=[]\nrun(out.append)\nassert out==[[0],[0,1]]",
        ],
    ),
    (
        "def run(cb):\n    p=[]\n    for i in range(2):\n        p.append(i)\n        cb(list(p))",
        [
            "out=[]\nrun(out.append)\nassert out==[[0],[0,1]]",
        ],
    ),
    (
        "def run(a,cb):\n    cb()\n    return sum(a)",
        [
            "a=[1]\nassert run(a,lambda: a.append(5))==6",
            "a=[1]\nassert run(a,lambda: a.append(5))==1",
        ],
    ),
    (
        "def run(a,cb):\n    a.append(2)\n    cb()\n",
        [
            "a=[1]\nseen=[]\nrun(a,lambda: seen.append(len(a)))\nassert seen==[2]",
        ],
    ),
    (
        "def f(a):\n    a.append(1)\n    raise ValueError",
        [
            "a=[]\ntry:\n    f(a)\nexcept ValueError:\n    pass\nelse:\n    assert False\nassert a==[]",
        ],
    ),
    (
        "class S:\n    def keep(s,a):\n        s.a=a\n        raise ValueError\n    def size(s): return len(s.a)",
        [
            "s=S()\na=[]\ntry:\n    s.keep(a)\nexcept ValueError:\n    pass\na.append(1)\nassert s.size()==0",
        ],
    ),
    (
        "class S:\n    def take(s,o):\n        s.x=o.pop()\n    def size(s): return len(s.x)",
        [
            "s=S()\nr=[1]\no=[r]\ns.take(o)\nr.append(1)\nassert s.size()==1",
        ],
    ),
    (
        "from collections import namedtuple\nP=namedtuple('P','xs')\nclass S:\n    def __init__(s): s.p=P([1])\n    def get(s): return s.p\n    def n(s): return len(s.p.xs)",
        [
            "s=S()\ns.get().xs.append(2)\nassert s.n()==1",
        ],
    ),
    (
        "class S(list):\n    pass\nclass H:\n    def __init__(s): s.a=S()\n    def get(s): return s.a\n    def n(s): return len(s.a)",
        [
            "h=H()\nh.get().append(1)\nassert h.n()==0",
        ],
    ),
    (
        "class S:\n    def __init__(s): s.a={1}\n    def get(s): return s.a\n    def n(s): return len(s.a)",
        [
            "h=S()\nh.get().add(2)\nassert h.n()==1",
        ],
    ),
    (
        "from collections import *\nclass S:\n    def __init__(s): s.a=defaultdict(list); s.q=deque([1]); s.c=Counter('a')\n    def get(s): return s.a,s.q,s.c\n    def n(s): return len(s.a)+len(s.q)+len(s.c)",
        [
            "h=S()\na,q,c=h.get()\na['x'].append(1)\nq.append(2)\nc['b']+=1\nassert h.n()==2",
            "h=S()\na,q,c=h.get()\na['x'].append(1)\nq.append(2)\nc['b']+=1\nassert h.n()==5",
        ],
    ),
    (
        "class NumArray:\n    def __init__(self, nums): self.nums=nums\n    def update(self,i,v): self.nums[i]=v\n    def sum(self): return sum(self.nums)",
        [
            "nums=[1,2]\nobj=NumArray(nums)\nobj.update(0,5)\nassert obj.sum()==7",
            "nums=[1,2]\nobj=NumArray(nums)\nfor i in range(2):\n    obj.update(i,5)\nassert obj.sum()==sum(nums)==10",
        ],
    ),
    (
        "def gen():\n    a=[]\n    for i in range(3):\n        a.append(i)\n        yield a",
        [
            "assert list(gen())==[[0],[0,1],[0,1,2]]",
        ],
    ),
    (
        "def gen():\n    a=[]\n    for i in range(3):\n        a.append(i)\n        yield list(a)",
        [
            "assert list(gen())==[[0],[0,1],[0,1,2]]",
        ],
    ),
    (
        "class N:\n    def __init__(s,v): s.v=v; s.kids=[]\n",
        [
            "a=N(1)\nb=N(2)\na.kids.append(b)\nassert len(a.kids)==0",
            "a=N(1)\nb=N(2)\na.kids.append(b)\nassert a.kids[0] is b",
        ],
    ),
    (
        "def f(d):\n    for k in list(d): d[k]+=1",
        [
            "d={'a':1}\nf(d)\nassert d=={'a':2}",
        ],
    ),
    (
        "def f(ba):\n    m=memoryview(ba)\n    return m",
        [
            "b=bytearray(b'ab')\nm=f(b)\nb[0]=99\nassert m[0]==97",
        ],
    ),
]
ARRAYS = [
    (
        "import numpy as np\ndef head(a): return a[:2]\ndef total(a): return int(a.sum())\n",
        [
            "import numpy as np\na=np.zeros(3)\nb=head(a)\nb[0]=9\nassert a[0]==0",
            "import numpy as np\na=np.zeros(3)\nb=head(a)\na[0]=9\nassert b[0]==0",
            "import numpy as np\na=np.zeros(3)\nb=head(a)\nassert b.tolist()==[0,0] and total(a)==0",
        ],
    ),
    (
        "import numpy as np\ndef f(n): return np.arange(n).reshape(2,-1)",
        [
            "b=f(4)\nb[0,0]=7\nassert b.tolist()==[[7,1],[2,3]]",
        ],
    ),
    (
        "import numpy as np\nclass M:\n    def __init__(s): s.m=np.zeros((2,2))\n    def row(s,i): return s.m[i]\n    def total(s): return float(s.m.sum())",
        [
            "m=M()\nm.row(0)[0]=5\nassert m.total()==0",
            "m=M()\nm.row(0)[0]=5\nassert m.total()==5",
        ],
    ),
]


@pytest.mark.parametrize(("program", "test"), [(program, test) for program, tests in CASES for test in tests])
def test_a_verdict_is_that_of_one_process(program, test):
    found = verdict([test], program)
    assert found.passed is in_one_process(program, test), found.feedback


@pytest.mark.parametrize(("program", "test"), [(program, test) for program, tests in ARRAYS for test in tests])
def test_of_arrays_too_or_it_is_unknown(program, test):
    pytest.importorskip("numpy")
    found = verdict([test], program, libraries=("numpy",))
    assert found.passed in (in_one_process(program, test), None), found.feedback
    assert found.passed is not None or "copy the array" in found.feedback


# ---------------------------------------------------------------- what is too much to be kept the same

LARGE = "class Bag:\n    def __init__(self, a): self.a = a\n    def at(self, i): return self.a[i]\n    def put(self, i, x): self.a[i] = x\n    def all(self): return self.a\n"
OFTEN = "n = 500000\na = list(range(n))\nb = Bag(a)\nfor i in range(30):\n    assert b.at(i) == i\n"


@pytest.mark.slow
def test_what_takes_too_long_is_looked_at_once_more_at_the_end():
    found = verdict([OFTEN], LARGE)
    assert found.passed is True, found.feedback
    for more in ("a[0] = 5\nassert b.at(0) == 0", "b.put(0, 5)\nassert a[0] == 0", "c = b.all()\nassert c[1] == 1"):
        found = verdict([OFTEN + more], LARGE)
        assert found.passed is None
        assert "too large" in found.feedback
    assert verdict([OFTEN + "assert b.at(7) == 8"], LARGE).passed is False


@pytest.mark.slow
def test_many_calls_of_a_function_of_the_test_are_not_slow_for_what_they_share():
    program = "def order(rows, key):\n    rows.sort(key=key)\n    return rows"
    test = "rows = [[i % 7, i] for i in range(3000)]\nassert order(rows, lambda row: row[0])[-1][0] == 6\nassert rows[0] == [0, 0]"
    found = verdict([test], program)
    assert found.passed is True, found.feedback


def test_tests_share_nothing_with_one_another():
    found = verdict(["x = f()\nassert x == []", "x = f()\nassert x == []"], "L = []\ndef f(): return L")
    assert found.passed is True, found.feedback


def test_a_call_keeps_nothing_for_having_raised():
    program = "def f(a):\n    raise ValueError(len(a))\ndef g(a): return len(a)"
    test = "for i in range(2000):\n    try:\n        f([i] * 10)\n        assert False\n    except ValueError:\n        pass\n"
    found = verdict([test + "assert g([1]) == 1"], program)
    assert found.passed is True, found.feedback
