"""Every public name is there, documented, and brought in only when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tocsin


@pytest.mark.parametrize("name", tocsin.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(tocsin)
    assert getattr(tocsin, name) is not None


def test_a_name_that_is_not_there_is_said_so():
    with pytest.raises(AttributeError, match="no attribute `Engin`"):
        _ = tocsin.Engin


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, tocsin; print(sorted({'numpy', 'pyarrow', 'numba', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == "[]"
