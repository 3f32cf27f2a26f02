"""Breaks as rows: from judged flows, differing states, invariants, files and refused postings; and what stays open."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from custody.case_amounts import amount_of_movement, amount_of_state
from custody.case_evidence import FIGURES
from custody.case_links import explained_balances, follows_from
from custody.cause_proofs import Facts, Figures, Rate
from custody.causes import is_derived, probable_cause
from custody.invariants import Violation
from custody.matching import Relation, Verdict, case_id, sealed_evidence
from custody.names import BreakKind
from custody.ports import Row
from custody.posting_findings import FINAL_REFUSALS
from jobs.reconcile.evidence import key_of_request, of_difference, of_file, of_items


class Breaks:
    """Collects one row a case; the first kind found for a case stays, further evidence is added to it."""

    def __init__(
        self, as_of: date, causes: Sequence[tuple[str, Figures]] = (), rates_on: Callable[[date], Sequence[Rate]] = lambda on: ()
    ) -> None:
        """``rates_on``: what the channels' contracts said on a date."""
        self._as_of = as_of
        self._causes, self._rates_on = causes, rates_on
        self._rows: dict[str, Row] = {}
        self._evidence: dict[str, list[dict[str, Any]]] = {}

    def add(
        self,
        platform: str,
        sides: str,
        subject: str,
        kind: str,
        amount_minor: int,
        evidence: Iterable[Mapping[str, Any]],
        cause: str | None = None,
    ) -> str:
        """Add a break (or more evidence of one); returns its case id."""
        identity = case_id(platform, sides, subject)
        self._evidence.setdefault(identity, []).extend(dict(e) for e in evidence)
        self._rows.setdefault(
            identity,
            {
                "case_id": identity,
                "platform": platform,
                "sides": sides,
                "subject": subject,
                "kind": str(kind),
                "amount_minor": amount_minor,
                "as_of": self._as_of,
                "cause": cause,
            },
        )
        return identity

    def __contains__(self, identity: str) -> bool:
        return identity in self._rows

    def rows(self) -> list[Row]:
        out = []
        follows = explained_balances([(row, self._evidence[identity]) for identity, row in self._rows.items()])
        for identity, row in sorted(self._rows.items()):
            evidence = self._evidence[identity]
            cause = row["cause"]
            if identity in follows:
                cause = follows_from(follows[identity])
            elif cause is None or is_derived(cause):
                cause = probable_cause(
                    Facts(row["kind"], row["subject"], evidence, self._rates(row["kind"], evidence)), self._causes
                )
            out.append({**row, "cause": cause, **sealed_evidence(evidence)})
        return out

    def _rates(self, kind: str, evidence: Iterable[Mapping[str, Any]]) -> list[Rate]:
        """Of a fee that differs: by the contracts of the movement's date, of its counterpart's, and of today."""
        if kind != BreakKind.FEE:
            return []
        said = [
            date.fromisoformat(row["item_date"]) for row in sorted(evidence, key=lambda e: str(e["side"])) if "item_date" in row
        ]
        return [rate for on in dict.fromkeys([*said, self._as_of]) for rate in self._rates_on(on)]


def add_flow(breaks: Breaks, relation: Relation, items: list[Row], verdict: Verdict, cause: str | None) -> str:
    first, evidence = items[0], of_items(items)
    amount = amount_of_movement(verdict.rule, evidence)
    return breaks.add(first["platform"], relation.sides, first["subject"], verdict.rule, amount, evidence, cause)


def add_difference(breaks: Breaks, difference: Row) -> None:
    evidence = of_difference(difference)
    amount = amount_of_state(evidence)
    breaks.add(difference["platform"], "AB", difference["subject"], difference["kind"], amount, evidence)


def add_violation(breaks: Breaks, violation: Violation) -> None:
    v = violation
    breaks.add(v.platform, v.sides, v.subject, v.kind, v.amount_minor, [{"side": FIGURES, **v.figures}], v.cause)


def add_files(breaks: Breaks, outcomes: Iterable[Row]) -> None:
    """A refused file is CONTROL_TOTAL with its rule as cause; a file that is not there is LATE_FILE."""
    for o in outcomes:
        if o["outcome"] == "REFUSED":
            shown = ("sha256", "rule", "words_en", "words_zh")
            where = {"side": of_file(o["file_type"]), "row_ref": o["file_name"]}
            evidence = where | {n: o[n] for n in shown} | {"instead_of": file_key(o)}
            subject = f"FILE|{o['file_name']}"
            breaks.add(o["party"], "FILE", subject, BreakKind.CONTROL_TOTAL, o["total_minor"], [evidence], o["rule"])
        elif o["outcome"] == "EXPECTED":
            subject = f"LATE|{o['party']}|{o['file_type']}|{o['custody_date'].isoformat()}"
            side = of_file(o["file_type"])
            evidence = {"side": side, "expected": o["file_type"], "custody_date": o["custody_date"].isoformat()}
            breaks.add(o["party"], "FILE", subject, BreakKind.LATE_FILE, 0, [evidence])


def add_postings(breaks: Breaks, findings: Iterable[Row]) -> None:
    """What the ledger refused, or could not post yet."""
    for f in findings:
        evidence = {
            "side": "B",
            "row_ref": f"{f['file_name']}:{f['line_no']}",
            "store_key": key_of_request(f["platform"], f["request_no"], f["leg"]),
            "rule": f["rule"],
            "words_en": f["words_en"],
            "words_zh": f["words_zh"],
        }
        subject = f"POSTING|{f['request_no']}|{f['leg']}"
        breaks.add(f["platform"], "B", subject, f["kind"], f["amount_minor"], [evidence], f["rule"])


def still_open(
    previous: Iterable[Row],
    breaks: Breaks,
    judged: Mapping[str, frozenset[str]],
    late: frozenset[str],
    told: frozenset[tuple[str, str]] = frozenset(),
    is_unjudged: Callable[[str, str, str, str], bool] = lambda platform, kind, sides, subject: False,
) -> None:
    """Carry yesterday's breaks that nothing of today speaks about.

    ``judged`` maps a state subject's first word to the platforms whose file of today has landed: those are judged anew.
    ``late``: ``party|type|date`` of files that are still missing; a refused file's case stays until they come. ``told``: (platform,
    subject) of payments and published figures of which something is said anew today. ``is_unjudged``: (platform, kind, sides, subject) of
    what today says nothing of.
    """
    for row in previous:
        word = row["subject"].partition("|")[0]
        if row["case_id"] in breaks:
            continue
        if (word in judged and row["platform"] not in judged[word]) or is_unjudged(
            row["platform"], row["kind"], row["sides"], row["subject"]
        ):
            stays = True
        elif word == "FILE":
            stays = any(e["instead_of"] in late for e in json.loads(row["evidence"]))
        elif word in ("PARTS", "DISCLOSURE"):
            stays = (row["platform"], row["subject"]) not in told
        else:
            # A final refusal belongs to its posting, a loan's money is where it went: nothing of today can heal them.
            stays = word == "FUNDS" or (word == "POSTING" and row["cause"] in FINAL_REFUSALS)
        if stays:
            evidence = json.loads(row["evidence"])
            breaks.add(row["platform"], row["sides"], row["subject"], row["kind"], row["amount_minor"], evidence, row["cause"])


def file_key(outcome: Row) -> str:
    """``party|type|date``: what a file stands for, whatever its name."""
    return f"{outcome['party']}|{outcome['file_type']}|{outcome['custody_date'].isoformat()}"
