from __future__ import annotations

import pytest

from tocsin.addresses import canonical, canonical_text, unpad
from tocsin.errors import ConfigError
from tocsin.event import Event, Origin
from tocsin.sources import Enrichment
from tocsin.sources.address import AddressBook
from tocsin.sources.agent import Agent, recognise_agent


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_are_read_as_logs_write_them(written, meant):
    assert str(canonical(written)) == canonical_text(written) == meant


@pytest.mark.parametrize("text", ["", "localhost", "172.016.112.020", "1.2.3", "256.1.1.1", "1" * 100, "\uff11.2.3.4"])
def test_what_is_no_address_is_refused(text):
    assert canonical(text) is None
    assert canonical_text(text) is None


def test_padding_is_removed_only_on_request():
    assert unpad("172.016.112.020") == "172.16.112.20"
    assert unpad("010.000.000.001") == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.8.8", "8.8.0.0/16"),
        ("10.1.2.3", "private 10.1.0.0/16"),
        ("127.0.0.1", "loopback 127.0.0.0/16"),
        ("100.64.3.4", "carrier-nat 100.64.0.0/16"),
        ("169.254.1.1", "link-local 169.254.0.0/16"),
        ("240.0.0.1", "reserved 240.0.0.0/16"),
        ("2a00:1450:4001::1", "2a00:1450:4001::/48"),
        ("fd00::1", "private fd00::/48"),
        ("not an address", None),
    ],
)
def test_networks_without_a_database(address, network):
    assert AddressBook().place(address).network == network


def test_an_unreadable_database_is_a_setting_error(tmp_path):
    (tmp_path / "x.mmdb").write_bytes(b"no database")
    with pytest.raises(ConfigError, match="MMDB"):
        AddressBook(tmp_path / "x.mmdb")


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("aws-cli/2.4.11 Python/3.8.8 Linux/5.10", Agent("aws-cli", "tool")),
        ("[Boto3/1.26.165 Python/3.10.6]", Agent("Boto3", "tool")),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.1.2 aws-sdk-go/1.44", Agent("Terraform", "tool")),
        ("curl/8.0", Agent("curl", "tool")),
        ("ec2.amazonaws.com", Agent("ec2.amazonaws.com", "tool")),
        ("my-tool_11a6ef34-e130-4579-a1d3-79c915cee6ec", Agent("my-tool", "tool")),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/102.0", Agent("Firefox", "desktop")),
        (
            (
                "Mozilla/5.0 (Linux; Android 11; Pixel 3a) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/91.0.4472.120 Mobile Safari/537.36"
            ),
            Agent("Chrome Mobile", "phone"),
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Agent("Googlebot", "bot")),
        ("-", Agent(None, None)),
        ("", Agent(None, None)),
    ],
)
def test_agents(text, agent):
    assert recognise_agent(text) == agent


def test_an_endless_agent_costs_no_more_than_its_head():
    assert recognise_agent("curl/" + "9" * 10_000_000).family == "curl"


def test_a_live_event_is_enriched_like_a_batch():
    event = Enrichment().enrich_one(
        Event(
            time=None,  # type: ignore[arg-type]
            kind="api",
            subject="user:ada",
            action="GET",
            origin=Origin(address="10.1.2.3:99", agent="curl/8.0", country="NL"),
        )
    )
    assert event.origin == Origin(
        address="10.1.2.3",
        network="private 10.1.0.0/16",
        country="NL",
        agent="curl/8.0",
        agent_family="curl",
        device_class="tool",
    )
