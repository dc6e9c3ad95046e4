"""Programs that hold what tests hold, too, with tests of them that are right and tests that are wrong."""

# ruff: noqa: E501 - a program and a test are one line each

from __future__ import annotations

import random

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
    (
        "class LRU:\n    def __init__(s,n): s.n=n; s.d={}\n    def get(s,k): return s.d.get(k,-1)\n    def put(s,k,v): s.d[k]=v\n    def raw(s): return s.d\n",
        [
            "c=LRU(2)\nv=[1]\nc.put('a',v)\nv.append(2)\nassert c.get('a')==[1]",
            "c=LRU(2)\nv=[1]\nc.put('a',v)\nassert c.get('a') is v",
            "c=LRU(2)\nv=[1]\nc.put('a',v)\nc.get('a').append(2)\nassert v==[1]",
            "c=LRU(2)\nd=c.raw()\nfor k in range(3): c.put(k,[k])\nfor k in d: d[k].append(9)\nassert c.get(1)==[1,9]",
            "c=LRU(2)\nd=c.raw()\nfor k in range(3): c.put(k,[k])\ndel d[0]\nassert c.get(0)==[0]",
            "c=LRU(2)\nd=c.raw()\nd['x']={'y':[1]}\nd['x']['y'].append(2)\nassert c.get('x')=={'y':[1]}",
            "c=LRU(2)\nd=c.raw()\nd['x']={'y':[1]}\ne=c.get('x')\ne['y'].append(2)\nassert d['x']['y']==[1,2]",
            "c=LRU(2)\nx=[]\nc.put(1,x)\nc.put(2,x)\nc.get(1).append(5)\nassert c.get(2)==[]",
            "c=LRU(2)\nx=[[]]\nc.put(1,x)\nx[0].append(1)\nx[0]=[7]\nassert c.get(1)==[[7]]",
            "c=LRU(2)\nx=[]\nx.append(c)\nc.put(1,x)\nassert c.get(1)[0] is c",
            "c=LRU(2)\nt=([1],2)\nc.put(1,t)\nt[0].append(3)\nassert c.get(1)==([1],2)",
            "c=LRU(2)\nt=([1],2)\nc.put(1,t)\nc.get(1)[0].append(3)\nassert t==([1,3],2)",
        ],
    ),
    (
        "def make():\n    n=[0]\n    def inc():\n        n[0]+=1\n        return n\n    return inc",
        [
            "f=make()\na=f()\nf()\nassert a==[1]",
            "f=make()\na=f()\nf()\nassert a==[2]",
        ],
    ),
    (
        "def make():\n    n=[0]\n    def inc():\n        n[0]+=1\n        return n[:]\n    return inc",
        [
            "f=make()\na=f()\nf()\nassert a==[1]",
        ],
    ),
    (
        "def walk(t,out=None):\n    out = [] if out is None else out\n    if t:\n        out.append(t[0])\n        walk(t[1:],out)\n    return out",
        [
            "o=[]\nr=walk([1,2],o)\nassert o==[1,2] and r is o\nassert walk([3])==[3]",
        ],
    ),
    (
        "import itertools\ndef f(a): return itertools.cycle(a)",
        [
            "a=[1,2]\ng=f(a)\nnext(g)\na.append(3)\nassert [next(g) for _ in range(2)]==[2,1]",
        ],
    ),
    (
        "import itertools\ndef f(a): return itertools.chain(a,a)",
        [
            "a=[1]\ng=f(a)\na.append(2)\nassert list(g)==[1,1]",
        ],
    ),
    (
        "def f(a): return iter(a)",
        [
            "a=[1,2,3]\ng=f(a)\nnext(g)\na.remove(2)\nassert list(g)==[2,3]",
        ],
    ),
    (
        "def f(d): return iter(d)",
        [
            "d={1:2}\ng=f(d)\nd[3]=4\ntry:\n    list(g)\nexcept RuntimeError:\n    ok=True\nassert ok",
        ],
    ),
    (
        "def f(a): return filter(None,a)",
        [
            "a=[1,0]\ng=f(a)\na.append(2)\nassert list(g)==[1]",
        ],
    ),
    (
        "def f(a): return enumerate(a)",
        [
            "a=[1]\ng=f(a)\na.append(2)\nassert list(g)==[(0,1)]",
        ],
    ),
    (
        "from collections import deque\nclass Q:\n    def __init__(s): s.q=deque(maxlen=2)\n    def get(s): return s.q",
        [
            "q=Q()\nd=q.get()\nd.extend([1,2,3])\nassert q.get()==deque([1,2,3])",
            "from collections import deque\nq=Q()\nd=q.get()\nd.extend([1,2,3])\nassert q.get()==deque([2,3])",
        ],
    ),
    (
        "class M:\n    def __init__(s,r): s.r=r\n    def t(s): return [list(x) for x in zip(*s.r)]\n    def rows(s): return s.r",
        [
            "r=[[1,2],[3,4]]\nm=M(r)\nt=m.t()\nt[0][0]=9\nassert m.rows()==[[1,2],[3,4]]\nassert m.rows() is r",
        ],
    ),
    (
        "import copy\nclass M:\n    def __init__(s,r): s.r=copy.copy(r)\n    def rows(s): return s.r",
        [
            "r=[[1,2],[3,4]]\nm=M(r)\nr[0][0]=9\nassert m.rows()==[[1,2],[3,4]]",
        ],
    ),
    (
        "import copy\nclass M:\n    def __init__(s,r): s.r=copy.deepcopy(r)\n    def rows(s): return s.r",
        [
            "r=[[1,2],[3,4]]\nm=M(r)\nr[0][0]=9\nassert m.rows()==[[1,2],[3,4]]",
        ],
    ),
    (
        "class G:\n    def __init__(s): s.adj={}\n    def add(s,a,b): s.adj.setdefault(a,set()).add(b)\n    def nb(s,a): return s.adj.get(a,set())",
        [
            "g=G()\ng.add(1,2)\ng.nb(1).add(3)\nassert g.nb(1)=={2}",
        ],
    ),
    (
        "class G:\n    def __init__(s): s.adj={}\n    def add(s,a,b): s.adj.setdefault(a,set()).add(b)\n    def nb(s,a): return set(s.adj.get(a,()))",
        [
            "g=G()\ng.add(1,2)\ng.nb(1).add(3)\nassert g.nb(1)=={2}",
        ],
    ),
    (
        "class G:\n    def __init__(s): s.adj={}\n    def add(s,a,b): s.adj.setdefault(a,set()).add(b)\n    def nb(s,a): return frozenset(s.adj.get(a,()))",
        [
            "g=G()\ng.add(1,2)\nn=g.nb(1)\ng.add(1,3)\nassert n=={2}",
        ],
    ),
    (
        "class S:\n    @property\n    def items(s): return s._i\n    def __init__(s): s._i=[]",
        [
            "s=S()\ns.items.append(1)\nassert s.items==[]",
        ],
    ),
    (
        "class S:\n    @property\n    def items(s): return tuple(s._i)\n    def __init__(s): s._i=[]\n    def add(s,x): s._i.append(x)",
        [
            "s=S()\na=s.items\ns.add(1)\nassert a==() and s.items==(1,)",
        ],
    ),
    (
        "class S:\n    def __init__(s): s._i=[1,2]\n    def __iter__(s): return iter(s._i)\n    def __getitem__(s,i): return s._i[i]\n    def add(s,x): s._i.append(x)",
        [
            "s=S()\ni=iter(s)\ns.add(3)\nassert list(i)==[1,2]",
        ],
    ),
    (
        "class S:\n    def __init__(s): s._i=[[1],[2]]\n    def __iter__(s): return iter(s._i)\n    def __getitem__(s,i): return s._i[i]",
        [
            "s=S()\nfor x in s: x.append(0)\nassert s[0]==[1]",
            "s=S()\nfor x in s: x.append(0)\nassert s[0]==[1,0]",
        ],
    ),
    (
        "class E(Exception):\n    pass\nclass S:\n    def __init__(s): s.log=[]\n    def go(s,a):\n        s.log.append(a)\n        a.append('x')\n        raise E(a)",
        [
            "s=S()\na=[]\ntry:\n    s.go(a)\nexcept E:\n    pass\na.append('y')\nassert s.log==[['x']]",
        ],
    ),
    (
        "class Ev:\n    def __init__(s): s.h=[]\n    def on(s,f): s.h.append(f)\n    def fire(s,x):\n        for f in s.h: f(x)",
        [
            "e=Ev()\ngot=[]\ne.on(got.append)\np=[1]\ne.fire(p)\np.append(2)\nassert got==[[1]]",
            "e=Ev()\ngot=[]\ne.on(got.append)\np=[1]\ne.fire(p)\nassert got[0] is p",
        ],
    ),
    (
        "def apply(f,x):\n    r=f(x)\n    r.append(1)\n    return r",
        [
            "st=[]\nr=apply(lambda x: st, 3)\nassert st==[]",
            "st=[]\nr=apply(lambda x: st, 3)\nassert st==[1] and r is st",
        ],
    ),
    (
        "def perms(a,visit):\n    def go(i):\n        if i==len(a): visit(a)\n        for j in range(i,len(a)):\n            a[i],a[j]=a[j],a[i]\n            go(i+1)\n            a[i],a[j]=a[j],a[i]\n    go(0)",
        [
            "out=[]\nperms([1,2],out.append)\nassert out==[[1,2],[2,1]]",
            "out=[]\nperms([1,2],lambda p: out.append(p[:]))\nassert out==[[1,2],[2,1]]",
        ],
    ),
    (
        "from dataclasses import dataclass,field\n@dataclass\nclass C:\n    tags: list = field(default_factory=list)",
        [
            "a=C()\nb=C()\na.tags.append(1)\nassert b.tags==[] and a.tags==[1]",
        ],
    ),
    (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    tags: list",
        [
            "t=[]\na=C(t)\nb=C(t)\na.tags.append(1)\nassert b.tags==[]",
        ],
    ),
    (
        "class C:\n    def __init__(s,**kw): s.kw=kw\n    def get(s): return s.kw",
        [
            "d={'a':[1]}\nc=C(**d)\nd['b']=2\nd['a'].append(2)\nassert c.get()=={'a':[1]}",
            "d={'a':[1]}\nc=C(**d)\nd['b']=2\nd['a'].append(2)\nassert c.get()=={'a':[1,2]}",
        ],
    ),
    (
        "def f(*a): return a",
        [
            "x=[1]\nt=f(x,x)\nx.append(2)\nassert t==([1],[1])",
        ],
    ),
    (
        "import threading\nclass S:\n    def __init__(s): s.a=[]\n    def go(s):\n        t=threading.Thread(target=lambda: s.a.append(1))\n        t.start(); t.join()",
        [
            "s=S()\nx=s.a\ns.go()\nassert x==[]",
        ],
    ),
    (
        "class St:\n    def __init__(s): s.h=[]; s.c=[]\n    def do(s,x): s.c.append(x); s.h.append(s.c)\n    def hist(s): return s.h",
        [
            "s=St()\ns.do(1)\ns.do(2)\nassert s.hist()==[[1],[1,2]]",
            "s=St()\ns.do(1)\nh=s.hist()\ns.do(2)\nassert h==[[1]]",
        ],
    ),
    (
        "class Par:\n    kids=[]\n    def add(s,k): s.kids.append(k)",
        [
            "a=Par()\nb=Par()\na.add(1)\nassert b.kids==[]",
        ],
    ),
    (
        "class Par:\n    kids=[]\n    def add(s,k): s.kids=s.kids+[k]",
        [
            "a=Par()\nb=Par()\na.add(1)\nassert b.kids==[] and a.kids==[1]",
        ],
    ),
    (
        "from types import MappingProxyType\nclass C:\n    def __init__(s): s.d={'a':1}\n    def view(s): return MappingProxyType(s.d)\n    def put(s,k,v): s.d[k]=v",
        [
            "c=C()\nv=c.view()\nc.put('b',2)\nassert dict(v)=={'a':1}",
        ],
    ),
    (
        "from collections import ChainMap\ndef f(a,b): return ChainMap(a,b)",
        [
            "a={}\nb={'x':1}\nm=f(a,b)\na['x']=2\nassert m['x']==1",
        ],
    ),
    (
        "from collections import UserList\ndef f(a):\n    return UserList(a)",
        [
            "a=[1]\nu=f(a)\na.append(2)\nassert list(u)==[1]",
        ],
    ),
    (
        "def f(d):\n    return {k: v for k, v in d.items()}",
        [
            "d={'a':[1]}\ne=f(d)\ne['a'].append(2)\nassert d=={'a':[1]}",
        ],
    ),
    (
        "def f(d):\n    return dict(d)",
        [
            "d={'a':[1]}\ne=f(d)\ne['b']=2\nassert d=={'a':[1]}",
        ],
    ),
    (
        "def f(m):\n    n=m[:]\n    n[0][0]=9\n    return n",
        [
            "m=[[1]]\nn=f(m)\nassert m==[[1]]",
        ],
    ),
    (
        "def rot(a,k):\n    a[:]=a[-k:]+a[:-k]",
        [
            "a=[1,2,3]\nassert rot(a,1) is None\nassert a==[3,1,2]",
        ],
    ),
    (
        "def parts(s):\n    cur=[]\n    out=[]\n    for c in s:\n        cur.append(c)\n        out.append(cur)\n    return out",
        [
            "assert parts('ab')==[['a'],['a','b']]",
        ],
    ),
    (
        "def g():\n    x = {}\n    while True:\n        k = yield x\n        x[k]=1",
        [
            "it=g()\na=next(it)\nit.send(3)\nassert a=={}",
        ],
    ),
    (
        "def f(s):\n    s.add(3)\n    return s",
        [
            "s={1}\nt=f(s)\nassert t is s and s=={1,3}",
        ],
    ),
    (
        "class Node:\n    def __init__(s,v): s.v=v; s.ch=[]\n    def add(s,n): s.ch.append(n); return s",
        [
            "a=Node(1)\nb=Node(2)\nch=a.ch\na.add(b)\nassert ch==[]",
        ],
    ),
    (
        "def f(a,memo={}):\n    memo[len(memo)]=a\n    return memo",
        [
            "m=f([1])\nm2=f([2])\nassert m is m2 and m=={0:[1],1:[2]}",
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
    (
        "import numpy as np\nclass M:\n    def __init__(s,a): s.a=a\n    def view(s): return s.a[1:]\n    def t(s): return s.a.T\n    def copy(s): return s.a.copy()\n    def all(s): return s.a\n    def inc(s): s.a += 1\n    def rows(s): return list(s.a)\n    def both(s): return s.a, s.a[:1]\n",
        [
            "import numpy as np\na=np.zeros(3)\nm=M(a)\na[0]=5\nassert m.all()[0]==0",
            "import numpy as np\na=np.zeros(3)\nm=M(a)\na[0]=5\nassert m.all()[0]==5",
            "import numpy as np\na=np.zeros(3)\nm=M(a)\nm.inc()\nassert a.tolist()==[0,0,0]",
            "import numpy as np\na=np.zeros(3)\nm=M(a)\nm.inc()\nassert a.tolist()==[1,1,1]",
            "import numpy as np\na=np.zeros(3)\nm=M(a)\nv=m.view()\nm.inc()\nassert v.tolist()==[0,0]",
            "import numpy as np\na=np.zeros(3)\nm=M(a)\nv=m.copy()\nm.inc()\nassert v.tolist()==[0,0,0]",
            "import numpy as np\na=np.zeros(3)\nm=M(a)\nv=m.copy()\nv[0]=4\nassert a.tolist()==[0,0,0]",
            "import numpy as np\nm=M(np.zeros((2,2)))\nr=m.rows()\nr[0][0]=7\nassert m.all()[0,0]==0",
            "import numpy as np\nm=M(np.zeros((2,2)))\nt=m.t()\nt[0][1]=7\nassert m.all()[1,0]==0",
            "import numpy as np\nm=M(np.zeros((2,2)))\nt=m.t()\nm.inc()\nassert t.tolist()==[[0,0],[0,0]]",
            "import numpy as np\nm=M(np.zeros(2))\na,b=m.both()\na[0]=3\nassert b[0]==0",
            "import numpy as np\nm=M(np.zeros(2))\na,b=m.both()\na[0]=3\nassert b[0]==3",
            "import numpy as np\na=np.zeros(3)\nm=M(a[:2])\na[0]=4\nassert m.all()[0]==0",
            "import numpy as np\na=np.zeros(3)\nm=M(a[:2])\nm.inc()\nassert a[0]==0",
        ],
    ),
    (
        "import numpy as np\ndef f(a):\n    a=a.reshape(-1)\n    return a\n",
        [
            "import numpy as np\na=np.zeros((2,2))\nb=f(a)\nb[0]=1\nassert a[0,0]==0",
        ],
    ),
    (
        "import numpy as np\ndef f(a):\n    return np.asarray(a)\n",
        [
            "import numpy as np\na=np.zeros(2)\nb=f(a)\nb[0]=1\nassert a[0]==0",
        ],
    ),
    (
        "import numpy as np\ndef f(a):\n    return np.array(a)\n",
        [
            "import numpy as np\na=np.zeros(2)\nb=f(a)\nb[0]=1\nassert a[0]==0",
        ],
    ),
    (
        "import numpy as np\ndef f(a):\n    a += 1\n    return a[:1]\n",
        [
            "import numpy as np\na=np.zeros(2)\nb=f(a)\nassert a.tolist()==[1,1] and b.tolist()==[1]",
        ],
    ),
    (
        "import numpy as np\ndef f(a):\n    return np.split(a,2)\n",
        [
            "import numpy as np\na=np.zeros(4)\nx,y=f(a)\nx[0]=1\nassert a[0]==0",
        ],
    ),
    (
        "import numpy as np\ndef f(n):\n    return np.split(np.zeros(n),2)\n",
        [
            "import numpy as np\nx,y=f(4)\nx[0]=1\nassert y[0]==0 and x[0]==1",
        ],
    ),
    (
        "import numpy as np\ndef f(a):\n    return a.flat\n",
        [
            "import numpy as np\na=np.zeros(2)\ni=f(a)\na[0]=1\nassert next(i)==0",
        ],
    ),
]

KEEPER = """
class P:
    shared = []
    def __init__(s): s.slots = {}
    def put(s, k, v): s.slots[k] = v
    def get(s, k): return s.slots.get(k)
    def inner(s, k): return [s.slots.get(k)]
    def pair(s, k): return (s.slots.get(k), k)
    def copy(s, k): return list(s.slots.get(k) or [])
    def push(s, k, x):
        if isinstance(s.slots.get(k), list): s.slots[k].append(x)
    def link(s, a, b):
        if isinstance(s.slots.get(a), list) and a > b: s.slots[a].append(s.slots.get(b))
    def drop(s, k): return s.slots.pop(k, None)
    def all(s): return s.slots
    def cls(s): return s.shared
    def size(s, k): return str(s.slots.get(k))
    def it(s, k): return iter(s.slots.get(k) or [])
    def vals(s): return s.slots.values()
    def call(s, f, k): return f(s.slots.get(k))
    def bad(s, k, v):
        s.slots[k] = v
        raise ValueError(k)
"""
VARIABLES, KEYS = range(4), range(3)


def sequence(seed: int) -> str:
    """A test that does things at random with a `KEEPER`, and writes down in `out` what it sees."""
    draw = random.Random(seed)
    lines = ["p = P()", "out = []", *(f"v{i} = [{i}]" for i in VARIABLES)]
    lines += [_step(draw) for _ in range(draw.randrange(4, 16))]
    lines += [f"out.append(str(v{i}))" for i in VARIABLES] + [f"out.append(p.size({k}))" for k in KEYS]
    return "\n".join([*lines, *(["out.append(str(list(d)))"] if "d = p.vals()" in lines else [])])


def _step(draw: random.Random) -> str:
    v, w, k, m, x = (draw.choice(one) for one in (VARIABLES, VARIABLES, KEYS, KEYS, range(9)))
    return draw.choice([
        f"p.put({k}, v{v})", f"v{v} = p.get({k})", f"v{v} = p.inner({k})", f"v{v} = p.pair({k})[0]",
        f"v{v} = p.copy({k})", f"v{v} = p.drop({k})", f"v{v} = p.cls()", f"v{v} = list(p.it({k}))", "d = p.vals()",
        f"p.push({k}, {x})", f"p.link({k}, {m})", f"p.all()[{k}] = v{v}", f"out.append(p.size({k}))",
        f"out.append(str(v{v}))", f"out.append(v{v} is v{w})", f"p.call(out.append, {k})",
        f"v{v} = p.call(lambda x: v{w}, {k})", f"try: p.bad({k}, v{v})\nexcept ValueError: pass",
        f"if type(v{v}) is list: v{v}.append({x})", f"if v{v} and type(v{v}) is list: v{v}.pop()",
    ])  # fmt: skip
