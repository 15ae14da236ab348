"""The referee: the model once more in plain Python, one event at a time, from the formulas and in dictionaries.

It knows nothing of blocks, slots, tables or batches. Profiles are kept in single precision, as the kernel keeps them,
because calibration reads raw bits in steps and a step must fall on the same side.
"""

# ruff: noqa: SLF001 - the formulas are written anew here, their constants are not
from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from tocsin.behaviour import calibrate as c
from tocsin.behaviour import features as f
from tocsin.behaviour import quantities as q
from tocsin.behaviour import rates as r
from tocsin.behaviour import score as s

from .formulas import overall_bits, shrunk, size_bits, table

D, THETA, UNIT, EPOCH_H = 0.5, 1.0, 16, 720
WHERE = range(f.ADDRESS, f.COUNTRY + 1)
PRECISE = 1e-4


def single(x):
    return float(np.float32(x))


def nothing(n):
    return lambda: [0.0] * n


@dataclass
class Profile:
    hour: int
    n: list = field(default_factory=nothing(9))
    k: list = field(default_factory=nothing(9))
    day: list = field(default_factory=nothing(48))
    week: list = field(default_factory=nothing(7))
    time: float = 0.0
    sizes: list = field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(4)])
    volume: float = 0.0
    most: float = 0.0
    top: object = None
    group: object = None
    next_group: object = None
    group_hour: int = 0
    counted: int = 0
    rare: set = field(default_factory=set)
    timed: int = -1
    values: dict = field(default_factory=dict)


class Twin:
    def __init__(self, limits, weights, late_s):
        self.limits, self.weights, self.late_s, self.newest = limits, weights, late_s, -math.inf
        self.profiles, self.rates = {}, {}
        self.open, self.epoch = -1, 0
        self.uses = {}
        self.totals = defaultdict(lambda: [0, 0, 0, 0])
        self.circles = defaultdict(lambda: [0, 0])
        self.peers = defaultdict(lambda: [0] * 6)
        self.hist = defaultdict(lambda: np.zeros(c.BINS))
        self.pending = defaultdict(lambda: np.zeros(c.BINS))
        self.dirty = {(kind, stratum) for kind in range(6) for stratum in range(8)}
        self.tables = {}

    # --- what closes with the hour

    def close(self, hour):
        gone = max(hour // EPOCH_H - self.epoch, 0)
        for t in self.totals.values():
            t[0], t[1], t[2], t[3] = (t[0] + t[1]) >> gone, 0, (t[2] + t[3]) >> gone, 0
        for two in self.circles.values():
            two[0], two[1] = (two[0] + two[1]) >> gone, 0
        for six in self.peers.values():
            six[:] = [(six[m] + six[m + 3]) >> gone for m in range(3)] + [0, 0, 0]
        self.open, self.epoch = hour, hour // EPOCH_H
        for kind, stratum in self.dirty:
            for plane in range(f.FEATURE_COUNT + 1):
                at = (kind, stratum, plane)
                self.hist[at] = self.hist[at] * self.limits.calibration_kept + self.pending[at]
                self.pending[at] = np.zeros(c.BINS)
                slope = c._RATE_SLOPE if plane >= f.RATE_SUBJECT else c._PRIOR_SLOPE
                self.tables[at] = table(self.hist[at], slope, whole=plane == f.FEATURE_COUNT)
        self.dirty = set()

    def used_by(self, key, hour):
        """Entities that use a value, as of the last closed hour."""
        use = self.uses.get(key)
        if use is None:
            return 0.0
        if use["hour"] < hour:
            use["closed"] += use["pending"]
            use["pending"], use["hour"] = 0, hour
            gone = hour // EPOCH_H - use["epoch"]
            if gone > 0:
                use["closed"] >>= gone
                use["epoch"] += gone
        return use["closed"] / UNIT

    def establish(self, feature, value, group, hour):
        for g in {None, group}:
            key, fresh = (g, feature, value), (g, feature, value) not in self.uses
            if fresh:
                self.uses[key] = {"closed": 0, "pending": 0, "hour": hour, "epoch": hour // EPOCH_H}
            self.used_by(key, hour)
            self.uses[key]["pending"] += UNIT
            self.totals[g, feature][1] += UNIT
            self.totals[g, feature][3] += fresh

    # --- raw bits

    def peers_share(self, feature, value, group, hour):
        """Interpolated Pitman-Yor over all, then the group."""
        p = 1.0
        for g in (None,) if group is None else (None, group):
            n, kinds = self.totals[g, feature][0] / UNIT, float(self.totals[g, feature][2])
            mass = THETA + D * kinds
            below = mass / (kinds + 1.0) if g is None else mass * p
            p = (max(self.used_by((g, feature, value), hour) - D, 0.0) + below) / (n + THETA)
        return min(p, 1.0)

    def value_bits(self, who, feature, value, hour):
        units, last = who.values.get((feature, value), (0.0, 0))
        seen = units * self.kept(hour - last) if units > 0 else 0.0
        own = max(seen - D, 0.0) / (who.n[feature] + THETA)
        mass = (THETA + D * who.k[feature]) / (who.n[feature] + THETA)
        p = own if seen >= s._OWNED else self.peers_share(feature, value, who.group, hour)
        return -math.log2(min(own + mass * p, 1.0)), seen > 0

    def kept(self, hours):
        return float(self.limits.decays[max(hours, 0)])

    def where_bits(self, who, values, hour, raw):
        if who.values.get((f.ADDRESS, values.get(f.ADDRESS)), (0,))[0] > 0:
            raw[f.ADDRESS], _ = self.value_bits(who, f.ADDRESS, values[f.ADDRESS], hour)
            return
        for feature in reversed(WHERE):
            if feature in values:
                raw[feature], owned = self.value_bits(who, feature, values[feature], hour)
                if not owned:
                    return

    def time_bits(self, who, half, day):
        total = sum(self.circles[who.group, "day", h][0] for h in range(48))

        def near(of):
            wide = 3.0 * of(half) + 2.0 * (of((half + 1) % 48) + of((half + 47) % 48))
            return (wide + (of((half + 2) % 48) + of((half + 46) % 48))) / 9.0

        # the kernel adds in single precision what stands in single precision
        own = np.float32(2.0) * (np.float32(who.day[(half + 1) % 48]) + np.float32(who.day[(half + 47) % 48]))
        far = np.float32(who.day[(half + 2) % 48]) + np.float32(who.day[(half + 46) % 48])
        own = (3.0 * who.day[half] + float(own) + float(far)) / 9.0
        peers = (near(lambda h: self.circles[who.group, "day", h][0]) + 1 / 48) / (total + 1.0)
        p = (own + q._PEER_HOURS * peers) / (who.time + q._PEER_HOURS)
        peers = (self.circles[who.group, "week", day][0] + 1 / 7) / (total + 1.0)
        w = (who.week[day] + q._PEER_HOURS * peers) / (who.time + q._PEER_HOURS)
        if who.time + total < q._ENOUGH_HOURS:
            return None, None
        return max(0.0, -math.log2(p * 48) + 4.0), max(0.0, -math.log2(w * 7) + 3.0)

    def rate_bits(self, key, time_s, role):
        now = int(time_s)
        fresh = {"fast": 0.0, "slow": 0.0, "for": 0.0, "last": now, "habit": 0.0, "spell": 0.0}
        t = self.rates.setdefault(key, fresh)

        def usual():
            return r._MEAN_LIFE_S * (t["slow"] + 1.0) / (t["for"] + r._PRIOR_S)

        gap = now - t["last"]
        if gap > 0:
            spell = r._EPISODE_H * 3600
            if now // spell != t["last"] // spell:
                most = r._RISE * max(t["habit"], usual(), 1.0)
                t["habit"], t["spell"] = single(max(t["habit"], min(t["spell"], most))), 0.0
            kept = 2.0 ** (-gap / r._SLOW_S)
            t["habit"], t["slow"] = single(t["habit"] * kept), single(t["slow"] * kept)
            t["fast"] = single(t["fast"] * 2.0 ** (-gap / r.FAST_S))
            t["for"], t["last"] = single(t["for"] * kept + gap), now
        m, a = usual(), t["fast"] + 1.0
        t["fast"], t["spell"] = single(a), single(max(t["spell"], a))
        t["slow"] = single(t["slow"] + min(1.0, r._WINSOR * max(m, 1.0) / a))
        m = max(m, t["habit"]) if role != f.RATE_TARGET else m
        return r._SLOPE * math.log2((a + 1) / (m + 1)) if a > m else 0.0

    # --- one event

    def observe(self, e):
        late = e["time"] < max(self.newest, e["time"]) - self.late_s
        self.newest = max(self.newest, e["time"])
        who = self.profiles.setdefault(e["subject"], Profile(e["hour"]))
        if late:
            return math.nan, math.nan, None
        hour, kind = e["hour"], e["kind"]
        rates = {
            f.RATE_SUBJECT + k: self.rate_bits(key, e["time"], f.RATE_SUBJECT + k) for k, key in e["rates"].items()
        }
        if hour > self.open:
            self.close(hour)
        self.wake(who, hour)
        raw = dict(rates)
        for feature in set(e["values"]) - set(WHERE):
            raw[feature], _ = self.value_bits(who, feature, e["values"][feature], hour)
        self.where_bits(who, e["values"], hour, raw)
        times = zip((f.HOUR, f.WEEKDAY), self.time_bits(who, e["half"], e["weekday"]), strict=True)
        raw |= {feature: bits for feature, bits in times if bits is not None}
        for which, value in e["sizes"].items():
            raw[f.BYTES + which] = size_bits(who.sizes[which], self.peers[kind, which], value)
        if 2 in e["sizes"]:
            raw[f.KIND_AMOUNT] = overall_bits(self.peers[kind, 2], e["sizes"][2])
        if e["quantity"] is not None:
            raw[f.VOLUME] = size_bits(who.sizes[3], self.peers[0, 3], self.moved(who, e))
        surprise, tail, x = self.weigh(who, kind, raw)
        self.learn(who, e, hour, tail)
        return surprise, tail, x

    @staticmethod
    def moved(who, e):
        return math.log2(1.0 + single(who.volume + e["quantity"]))

    def known(self, who, feature):
        if feature < f.CATEGORICAL:
            return who.n[feature]
        if feature <= f.WEEKDAY:
            return who.time
        if feature <= f.VOLUME and feature != f.KIND_AMOUNT:
            return who.sizes[3 if feature == f.VOLUME else feature - f.BYTES][0]
        return 0.0

    def weigh(self, who, kind, raw):
        counts = who.counted < s._COUNTED_AN_HOUR
        who.counted += counts
        x = [0.0] * f.FEATURE_COUNT
        for feature, bits in sorted(raw.items()):
            known = self.known(who, feature)
            stratum = min(int(math.log2(known)) + 1, 7) if known >= 1 else 0
            at, last = (kind, stratum, feature), c.BINS - 1
            place = min(int(bits / c.BIN_BITS), last)
            beyond = max(bits - c.BIN_BITS * last, 0.0) * c._BEYOND
            x[feature] = max(self.tables[at][place] + beyond, 0.0)
            self.count(who, at, place, counts, x[feature] >= s._RARE_BITS)
        told = [
            w * bits**1.5 + v * max(bits - c.BEND_BITS, 0.0) for (w, v), bits in zip(self.weights[kind], x, strict=True)
        ]
        total = 0.0
        for witness in sorted(set(f.WITNESS)):
            heard = [feature for feature in range(f.FEATURE_COUNT) if f.WITNESS[feature] == witness]
            best = max(heard, key=lambda feature: told[feature])
            total += told[best]
            for feature in set(heard) - {best}:
                x[feature] = 0.0
        spread = math.cbrt(total) ** 2
        at, place = (kind, 0, f.FEATURE_COUNT), spread / c.TOTAL_BIN
        table, k = self.tables[at], min(int(place), c.BINS - 1)
        if place >= c.BINS - 1:
            tail = -math.log2(table[k]) + (spread - c.TOTAL_BIN * k) * c._BEYOND
        else:
            tail = -math.log2(table[k] + (place - k) * (table[k + 1] - table[k]))
        self.count(who, at, k, counts, max(tail, 0.0) >= s._RARE_BITS)
        return total, max(tail, 0.0), x

    def count(self, who, at, place, counts, rare):
        if counts and not (rare and at[2] in who.rare):
            if rare:
                who.rare.add(at[2])
            self.pending[at][place] += 1
            self.dirty.add(at[:2])

    # --- what it teaches

    def wake(self, who, hour):
        gone = hour - who.hour
        if gone <= 0:
            return
        if who.volume > 0:
            self.add_size(who, 3, self.peers[0, 3], math.log2(1.0 + who.volume))
        kept = single(self.kept(gone))
        for counts in (who.n, who.k, who.day, who.week):
            counts[:] = [single(n * kept) for n in counts]
        for size in who.sizes:
            size[0], size[2] = single(size[0] * kept), single(size[2] * kept)
        who.time, who.most = single(who.time * kept), single(who.most * kept)
        who.volume, who.hour, who.counted, who.rare = 0.0, hour, 0, set()
        if who.group != who.next_group and (who.group is None or hour - who.group_hour >= self.limits.refresh_h):
            who.group, who.group_hour = who.next_group, hour

    def add_size(self, who, which, peers, value):
        mean, var, _ = shrunk(who.sizes[which], peers)
        reach = q._WINSOR * math.sqrt(var)
        value = np.float32(min(max(value, mean - reach), mean + reach))
        w, m, squares = (np.float32(n) for n in who.sizes[which])
        gap = value - m
        m += gap / (w + np.float32(1))
        who.sizes[which] = [float(w + np.float32(1)), float(m), float(squares + gap * (value - m))]

    def learn(self, who, e, hour, tail):
        if tail >= self.limits.quarantine_bits:
            for at in e["values"].items():
                self.hold(who, at, hour)
        else:
            for at in e["values"].items():
                self.teach(who, at, hour)
            self.teach_time(who, e, hour)
            if who.counted <= 64:
                self.teach_sizes(who, e)
        if e["quantity"] is not None:
            who.volume = single(who.volume + e["quantity"])

    def meet(self, who, feature):
        who.n[feature], who.k[feature] = single(who.n[feature] + 1), single(who.k[feature] + 1)

    def hold(self, who, at, hour):
        """Quarantine: one step a day, and on the last day out of it, on probation."""
        units, last = who.values.setdefault(at, (-1.0, hour))
        if units < 0 and hour // 24 > last // 24:
            who.values[at] = (units - 1.0, hour)
            if units - 1.0 <= -self.limits.release_days:
                who.values[at] = (0.0, hour)
                self.meet(who, at[0])

    def teach(self, who, at, hour):
        if at not in who.values:
            who.values[at] = (0.0, hour)
            self.meet(who, at[0])
            return
        units, last = who.values[at]
        if units < 0:
            self.hold(who, at, hour)
        if units < 0 or hour <= last:
            return
        kept = single(units * single(self.kept(hour - last)))
        who.values[at] = (single(kept + 1), hour)
        who.n[at[0]] = single(who.n[at[0]] + 1)
        if units > 0 and kept < D:
            who.k[at[0]] = single(who.k[at[0]] + single(1.0 - kept / D))
        if at[0] == f.ACTION and single(kept + 1) > who.most:
            who.most = single(kept + 1)
            who.top = who.next_group = at[1]
        if units == 0 or hour // EPOCH_H > last // EPOCH_H:
            self.establish(*at, who.group, hour)

    def teach_time(self, who, e, hour):
        if who.timed >= hour:
            return
        who.timed, who.time = hour, single(who.time + 1)
        who.day[e["half"]] = single(who.day[e["half"]] + 1)
        who.week[e["weekday"]] = single(who.week[e["weekday"]] + 1)
        for g in {None, who.group}:
            self.circles[g, "day", e["half"]][1] += 1
            self.circles[g, "week", e["weekday"]][1] += 1

    def teach_sizes(self, who, e):
        heard = [((e["kind"], which), value) for which, value in e["sizes"].items()]
        for (kind, which), value in heard:
            self.add_size(who, which, self.peers[kind, which], value)
        if e["quantity"] is not None:
            heard.append(((0, 3), self.moved(who, e)))
        for peers, value in heard:
            for m, more in enumerate((1, int(value * 256.0), int(value * value * 256.0)), 3):
                self.peers[peers][m] += more


def one_by_one(batch):
    for i in range(len(batch.hour)):
        yield {
            "subject": int(batch.subject[i]),
            "time": float(batch.times_s[i]),
            "hour": int(batch.hour[i]),
            "half": int(batch.half[i]),
            "weekday": int(batch.weekday[i]),
            "kind": int(batch.kind[i]),
            "values": {k: int(v) for k, v in enumerate(batch.values[i]) if v},
            "sizes": {k: float(v) for k, v in enumerate(batch.sizes[i]) if not np.isnan(v)},
            "quantity": None if np.isnan(batch.quantity[i]) else float(batch.quantity[i]),
            "rates": {k: int(v) for k, v in enumerate(batch.rate_keys[i]) if v},
        }
