from __future__ import annotations

import pytest

from tocsin.errors import BadValue
from tocsin.trust.policy.names import cedar_type, plain_type


@pytest.mark.parametrize("name", ["user", "App::User", "_", "permit", "Action", "A::B::C", "a_x_b", "__x"])
def test_a_name_that_cedar_takes_stays_as_it_is(name):
    assert cedar_type(name) == name


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("us-er", "us_x2d_er"),
        ("in", "_x69_n"),
        ("__cedar", "_x5f__cedar"),
        ("App::in", "App::_x69_n"),
        ("1a", "_x31_a"),
        ("été", "_xe9_t_xe9_"),
        ("a::", "a_x3a__x3a_"),
        ("a_x2d_b", "a_x5f_x2d_b"),
        ("a b\n", "a_x20_b_xa_"),
    ],
)
def test_another_is_escaped_and_found_again(name, escaped):
    assert cedar_type(name) == escaped
    assert plain_type(escaped) == name


@pytest.mark.parametrize("name", ["", "x" * 257, "\ud800"])
def test_no_name_at_all_is_refused(name):
    with pytest.raises(BadValue):
        cedar_type(name)
