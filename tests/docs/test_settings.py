"""docs/configuration.md names every setting, with the default and the bounds that the code has."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pages
import pytest

from tocsin.config import Settings, load, load_entities
from tocsin.config.entities import EntityFacts, Sensitive
from tocsin.config.settings import CertificateRule, IssuerSettings
from tocsin.trust.forwarded import ProxyCertificates
from tocsin.trust.identity import IdentityVerifier

PAGE = "docs/configuration.md"
DEFAULTS = {
    f"{section}.{name}": value
    for section, body in msgspec.json.decode(msgspec.json.encode(Settings())).items()
    for name, value in body.items()
}
TYPES = {
    f"{section.name}.{field.name}": msgspec.inspect.type_info(field.type)
    for section in msgspec.structs.fields(Settings)
    for field in msgspec.structs.fields(section.type)
}
ROWS = {row[0].strip("`"): row for row in pages.rows(PAGE) if len(row) == 4}


def bounds(kind):
    """What the page must say is allowed, for a number; None for other types."""
    if not isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        return None
    if kind.gt is not None:
        return f"above {kind.gt:g}, at most {kind.le:.12g}"
    return f"at least {kind.ge}" if kind.le is None else f"{kind.ge} to {kind.le}"


@pytest.mark.parametrize("setting", sorted(DEFAULTS))
def test_a_setting_is_documented_as_it_is(setting):
    assert setting in ROWS, f"{PAGE} says nothing of `{setting}`"
    _, default, allowed, meaning = ROWS[setting]
    assert msgspec.json.decode(default.strip("`")) == DEFAULTS[setting]
    assert bounds(TYPES[setting]) in {None, allowed}
    assert len(meaning) > 10


def test_nothing_is_documented_that_cannot_be_set():
    documented = {name for name in ROWS if name.partition(".")[0] in msgspec.to_builtins(Settings())}
    assert documented == set(DEFAULTS)


def test_every_key_of_the_file_of_entities_is_documented():
    page = pages.text(PAGE)
    for kind in (EntityFacts, Sensitive):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in page, f"{PAGE} says nothing of `{field.name}`"


@pytest.mark.parametrize("kind", [IssuerSettings, CertificateRule])
def test_every_key_of_identitys_tables_is_documented_as_it_is(kind):
    documented = {row[0].strip("`"): row[1] for row in pages.rows("docs/identity.md") if len(row) == 3}
    for field in msgspec.structs.fields(kind):
        default = documented[field.name]
        if field.required:
            assert default == "must be given"
        else:
            assert msgspec.json.decode(default.strip("`")) == msgspec.json.decode(msgspec.json.encode(field.default))


@pytest.mark.parametrize(
    "block",
    [b for b in pages.blocks("toml") if b.page == pages.ROOT / PAGE or "[alerts]" in b.body],
    ids=pages.label,
)
def test_an_example_of_settings_loads(block, tmp_path):
    file = tmp_path / "example.toml"
    file.write_text(block.body, encoding="utf-8")
    if "[entity." in block.body:
        assert load_entities(file).entity
    else:
        assert "default" not in {v for k, v in load(file, {}, {}).origins.items() if k == "respond.enforce"}


@pytest.mark.parametrize("block", [b for b in pages.blocks("toml") if "[identity]" in b.body], ids=pages.label)
def test_an_example_of_identity_makes_a_verifier(block, tmp_path):
    file = tmp_path / "example.toml"
    file.write_text(block.body, encoding="utf-8")
    settings = load(file, {}, {}).settings.identity
    assert len(IdentityVerifier(settings, clock=lambda: datetime.now(UTC)).status(datetime.now(UTC))) == len(
        settings.issuers
    )
    assert ProxyCertificates(settings).certificate([], "192.0.2.1", authenticated=True) is None
