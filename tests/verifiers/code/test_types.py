"""`type` of what a program returned, for classes of the standard library. The oracle is plain Python."""

from __future__ import annotations

import pytest

from tests.helpers.programs import passed

MADE = {
    "re.Pattern": "import re\ndef f(): return re.compile('a')",
    "re.Match": "import re\ndef f(): return re.match('a', 'a')",
    "uuid.UUID": "import uuid\ndef f(): return uuid.UUID(int=1)",
    "pathlib.PosixPath": "import pathlib\ndef f(): return pathlib.Path('a')",
    "array.array": "import array\ndef f(): return array.array('i', [1])",
    "types.SimpleNamespace": "import types\ndef f(): return types.SimpleNamespace(a=1)",
    "ipaddress.IPv4Address": "import ipaddress\ndef f(): return ipaddress.ip_address('127.0.0.1')",
    "collections.ChainMap": "import collections\ndef f(): return collections.ChainMap({'a': 1})",
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("form", ["type(f()) is {}", "f().__class__ is {}", "type(f()) == {}", "{} is type(f())"])
def test_the_type_of_what_a_program_returned(name: str, form: str) -> None:
    """It has that class; a text and an object of a class of the program's own have not."""
    test = (f"import {name.partition('.')[0]}\nassert {form.format(name)}",)
    assert passed(test, MADE[name]) is True
    assert passed(test, "def f(): return 'a'") is False
    assert passed(test, f"class {name.partition('.')[2]}: pass\ndef f(): return {name.partition('.')[2]}()") is False


@pytest.mark.parametrize("name", MADE)
def test_a_class_that_a_program_returned(name: str) -> None:
    test = (f"import {name.partition('.')[0]}\nassert f() is {name}",)
    assert passed(test, f"import {name.partition('.')[0]}\ndef f(): return {name}") is True
    assert passed(test, "def f(): return str") is False
