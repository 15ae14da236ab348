from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.config import Settings, find_file, load
from tocsin.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "tocsin.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_is_all_defaults():
    loaded = load(None, {})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.settings.alerts.per_day == 10.0


def test_flag_beats_variable_beats_file_beats_default(tmp_path):
    path = written(tmp_path, "[alerts]\nper_day = 1\nmute_h = 1\nstory_h = 1\n")
    variables = {"TOCSIN_ALERTS__PER_DAY": "2", "TOCSIN_ALERTS__MUTE_H": "2"}
    loaded = load(path, variables, {"alerts.per_day": 3.0, "home.path": None})
    assert (loaded.settings.alerts.per_day, loaded.settings.alerts.mute_h, loaded.settings.alerts.story_h) == (3, 2, 1)
    assert loaded.origins["alerts.per_day"] == "flag"
    assert loaded.origins["alerts.mute_h"] == "TOCSIN_ALERTS__MUTE_H"
    assert loaded.origins["alerts.story_h"] == f"{path}:4"
    assert loaded.origins["home.path"] == "default"


def test_variables_are_read_as_the_type_asked_for():
    loaded = load(
        None,
        {
            "TOCSIN_RESPOND__ENFORCE": "true",
            "TOCSIN_RESPOND__BREAK_GLASS": "user:root, user:vault:1",
            "TOCSIN_BEHAVIOUR__LATE_S": "60",
        },
    )
    assert loaded.settings.respond.enforce is True
    assert loaded.settings.respond.break_glass == ("user:root", "user:vault:1")
    assert loaded.settings.behaviour.late_s == 60


def test_variables_that_are_not_settings_are_left_alone():
    assert load(None, {"TOCSIN_PORT": "tcp://10.0.0.1", "TOCSIN_DEBUG": "1", "HOME": "/x"}).settings == Settings()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[alert]\nper_day = 1", ":1: unknown section `alert`", "did you mean `alerts`?"),
        ("[alerts]\n\nper_dya = 1", ":3: unknown setting `alerts.per_dya`", "did you mean `per_day`?"),
        ("[alerts]\nper_day = 'ten'", ":2: `alerts.per_day` cannot be `ten`", "the default is 10.0"),
        ("alerts.per_day = true", ":1: `alerts.per_day` cannot be `True`", "the default is 10.0"),
        ("[alerts]\nper_day = -1", ":2: `alerts.per_day` cannot be `-1`", "the default is 10.0"),
        ("[alerts]\nper_day = nan", "cannot be `nan`", "the default is 10.0"),
        ("[behaviour]\nrelease_days = 1", ":2: `behaviour.release_days` cannot be `1`", "the default is 3"),
        ("[respond]\nbreak_glass = ['ada']", ":2: `respond.break_glass`", "the default is []"),
        ("alerts = 3", "`alerts` is a section", "write `[alerts]`"),
        ("[alerts\n", "is not TOML", "toml.io"),
        ("zzz = 1", ":1: unknown section `zzz`", "known: `home`"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(tmp_path, text, message, hint):
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), {})
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("variables", "message", "hint"),
    [
        ({"TOCSIN_ALERTS__PERDAY": "1"}, "unknown setting", "`TOCSIN_ALERTS__PER_DAY`"),
        ({"TOCSIN_ALERTS__PER_DAY": "lots"}, "cannot be `lots`", "10.0"),
        ({"TOCSIN_ALERTS__PER_DAY": "inf"}, "cannot be `inf`", "10.0"),
        ({"TOCSIN_HOME": "x"}, "names a section", "TOCSIN_HOME__PATH"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(variables, message, hint):
    with pytest.raises(ConfigError) as caught:
        load(None, variables)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_unknown_flag_is_refused():
    with pytest.raises(ConfigError, match="unknown setting"):
        load(None, {}, {"alerts.per_week": 1})


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"#" + b"x" * (1 << 20)])
def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path, raw):
    path = tmp_path / "tocsin.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError):
        load(path, {})


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "none.toml", {})


def test_the_file_is_the_one_named_or_the_one_here(tmp_path):
    assert find_file({}, tmp_path) is None
    path = written(tmp_path, "")
    assert find_file({}, tmp_path) == path
    assert find_file({"TOCSIN_CONFIG": "/else/where.toml"}, tmp_path) == Path("/else/where.toml")


def test_every_list_of_names_may_be_given_with_commas_in_a_variable():
    loaded = load(None, {"TOCSIN_IDENTITY__TRUSTED_PROXIES": "192.0.2.1, 192.0.2.8/29,"}, {})
    assert loaded.settings.identity.trusted_proxies == ("192.0.2.1", "192.0.2.8/29")


def test_issuers_are_tables_of_the_file(tmp_path):
    file = tmp_path / "tocsin.toml"
    file.write_text('[[identity.issuers]]\nissuer = "https://login.example"\naudience = ["api"]\n')
    (issuer,) = load(file, {}, {}).settings.identity.issuers
    assert (issuer.issuer, issuer.audience, issuer.dpop) == ("https://login.example", ("api",), "allow")
    file.write_text(
        '[[identity.issuers]]\nissuer = "https://login.example"\naudience = ["api"]\nalgorithms = ["HS256"]\n'
    )
    with pytest.raises(ConfigError, match="algorithms"):
        load(file, {}, {})
