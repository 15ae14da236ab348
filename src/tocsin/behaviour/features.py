"""What is looked at in every event, in the order the kernels index it.

A feature is something a colleague would name. Nine are values an entity has or has not used before;
seven are quantities. `FAMILY` says which features speak of the same thing: two features of one family
are one witness, not two.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION",
    "ADDRESS",
    "AGENT",
    "AMOUNT",
    "BYTES",
    "CATEGORICAL",
    "COUNT",
    "COUNTERPARTY",
    "COUNTRY",
    "DEVICE",
    "FAMILIES",
    "FAMILY",
    "FEATURES",
    "FEATURE_COUNT",
    "HOUR",
    "KIND_AMOUNT",
    "NETWORK",
    "RATE_PAIR",
    "RATE_SUBJECT",
    "RATE_TARGET",
    "RELEVANCE",
    "RESOURCE",
    "SIZES",
    "SUBNET",
    "VOLUME",
    "WEEKDAY",
    "WITNESS",
]

ACTION, RESOURCE, COUNTERPARTY, ADDRESS, SUBNET, NETWORK, COUNTRY, AGENT, DEVICE = range(9)
CATEGORICAL: Final = 9
"""How many features are values; they come first."""

HOUR, WEEKDAY, BYTES, COUNT, AMOUNT, KIND_AMOUNT, VOLUME, RATE_SUBJECT, RATE_PAIR, RATE_TARGET = range(9, 19)
FEATURE_COUNT: Final = 19
"""How many features there are."""

SIZES: Final = (BYTES, COUNT, AMOUNT)

FEATURES: Final = (
    "action",
    "resource",
    "counterparty",
    "address",
    "subnet",
    "network",
    "country",
    "agent",
    "device",
    "hour",
    "weekday",
    "bytes",
    "count",
    "amount",
    "amount_overall",
    "volume",
    "rate",
    "rate_pair",
    "rate_target",
)

FAMILIES: Final = ("what", "whom", "where", "how", "when", "much", "often")
FAMILY: Final = (0, 0, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6)
"""Index into `FAMILIES` of each feature."""

_QUIET: Final = 0.1
_BUSY: Final = {RATE_SUBJECT: 0.4, RATE_PAIR: 0.4}
RELEVANCE: Final = {
    "authentication": _BUSY,
    "api": _BUSY,
    "signup": _BUSY,
    "change": _BUSY,
    "payment": dict.fromkeys(
        (ACTION, COUNTERPARTY, HOUR, WEEKDAY, VOLUME, RATE_SUBJECT, RATE_PAIR, RATE_TARGET), _QUIET
    ),
}
"""Weight that features have in a kind of event before any verdict; one where nothing is said.

People pay whom they like when they like: at a till it is the amount, the device and the place that speak. At work
everybody has busy minutes, so an entity's own burst counts less than one against a target.
"""

WITNESS: Final = (0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 6, 7, 7, 7, 7, 7, 8, 9, 10)
"""Features that see the same thing share a witness: only the rarest of them is heard."""
