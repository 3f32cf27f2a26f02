"""Does the register still say what was committed? Each finding names the place (design.md §4.5).

These must agree: the audit chain with itself, the committed step outputs and the decisions with the chain, the open cases
with the newest sealed breaks, and each close's root with the outputs. Who changes one of them by hand leaves the others behind. What nothing inside an instance can show is that the
newest events and outputs were all cut off together: for that, the newest event's hash is kept elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from custody.audit import GENESIS, first_broken
from custody.digest import canonical_json
from custody.steps import STEPS

_ACTION = "step."
# (date as text, step, version)
_Key = tuple[str, str, int]


def chain_faults(events: Sequence[Mapping[str, object]]) -> list[str]:
    """Whether the events, in order of their numbers, follow from each other."""
    broken = first_broken(events)
    return [] if broken is None else [f"audit event {broken} does not follow from the one before"]


def commit_faults(outputs: Sequence[Mapping[str, object]], events: Sequence[Mapping[str, object]]) -> list[str]:
    """Whether each committed output stands in exactly one audit event with the same manifest digest, and each such event in
    an output."""
    wrong: list[str] = []
    told: dict[_Key, tuple[object, str]] = {}
    for event in events:
        action = str(event["action"])
        if not action.startswith(_ACTION):
            continue
        try:
            details = json.loads(str(event["details"]))
            key = (str(event["subject"]), action.removeprefix(_ACTION), int(details["version"]))
            manifest = str(details["manifest"])
        except (ValueError, KeyError, TypeError):
            wrong.append(f"audit event {event['event_no']}: its details are not those of a committed step")
            continue
        if key in told:
            wrong.append(f"audit event {event['event_no']} tells of {_named(key)} again, after event {told[key][0]}")
            continue
        told[key] = (event["event_no"], manifest)
    committed = {_key(row): str(row["manifest_digest"]) for row in outputs}
    for key, digest in sorted(committed.items()):
        if key not in told:
            wrong.append(f"step_output {_named(key)}: no audit event tells of its commit")
        elif told[key][1] != digest:
            number, manifest = told[key]
            wrong.append(
                f"step_output {_named(key)} has manifest {digest[:16]}, audit event {number} of its commit says {manifest[:16]}"
            )
    wrong += [
        f"audit event {told[key][0]} tells of {_named(key)}, which the register lacks"
        for key in sorted(set(told) - set(committed))
    ]
    return wrong


def decision_faults(proposals: Sequence[Mapping[str, object]], events: Sequence[Mapping[str, object]]) -> list[str]:
    """Whether each proposal stands in the chain with what was proposed, and a decided one with its outcome, maker and checker: four
    eyes cannot be rewritten."""
    told: dict[str, tuple[str, str, str]] = {}
    asked: dict[str, tuple[str, str, str]] = {}
    for event in events:
        details = json.loads(str(event["details"]))
        if not isinstance(details, dict) or "proposal" not in details:
            continue
        if "outcome" in details:
            told[str(details["proposal"])] = (str(details["outcome"]), str(details["maker"]), str(event["actor"]))
        elif "payload" in details:
            asked[str(details["proposal"])] = (str(event["subject"]), canonical_json(details["payload"]), str(event["actor"]))
    wrong = []
    for row in proposals:
        # Some kinds of proposal tell the chain only a digest of what is personal in them.
        proposed = asked.get(str(row["proposal_id"]))
        if proposed is not None and proposed != (row["subject"], row["payload"], row["maker"]):
            wrong.append(
                f"proposal {row['proposal_id']} is not what {proposed[2]} proposed for {proposed[0]}, as the audit chain has it"
            )
        if row["state"] != "PROPOSED":
            says = (str(row["state"]), str(row["maker"]), str(row["checker"]))
            if told.get(str(row["proposal_id"])) != says:
                wrong.append(f"proposal {row['proposal_id']} says {', '.join(says)}; the audit chain does not")
    return wrong


def publication_faults(publications: Sequence[Mapping[str, object]], outputs: Sequence[Mapping[str, object]]) -> list[str]:
    """Whether what was published is what was committed."""
    committed = {_key(row): str(row["manifest_digest"]) for row in outputs}
    return [
        f"publication of {_named(_key(row))} is of another manifest than the register's output"
        for row in publications
        if committed.get(_key(row)) != row["manifest_digest"]
    ]


# What a cut-off seals of each file, and the register keeps.
_OF_ACCEPTED = ("party", "file_type", "custody_date", "batch", "version", "layout", "encoding", "rows", "totals", "batches")
_OF_REFUSED = ("party", "file_type", "custody_date", "rule")


def file_faults(
    custody_date: date,
    accepted: Sequence[Mapping[str, object]],
    refused: Sequence[Mapping[str, object]],
    files: Sequence[Mapping[str, object]],
) -> list[str]:
    """Whether the register's files of one cut-off are those that it sealed, each as it was."""
    mine = {(row["file_name"], row["sha256"]): row for row in files if row["cut_off_date"] == custody_date}
    wrong: list[str] = []
    for sealed, columns in [*((row, _OF_ACCEPTED) for row in accepted), *((row, _OF_REFUSED) for row in refused)]:
        row = mine.pop((sealed["file_name"], sealed["sha256"]), None)
        place = f"file {sealed['file_name']} of the cut-off of {custody_date}"
        if row is None:
            wrong.append(f"{place} with SHA-256 {str(sealed['sha256'])[:16]} is not in the register")
            continue
        differing = [name for name in columns if row[name] != sealed[name]]
        if "archive_ref" in sealed and sealed["archive_ref"] not in (row["archive_ref"], row["plain_ref"]):
            differing.append("archive_ref")
        if differing:
            wrong.append(f"{place} has another {', '.join(differing)} in the register than was sealed")
    wrong += [f"file {name} says that the cut-off of {custody_date} took it, which did not" for name, _ in mine]
    return wrong


def reference_faults(table: str, rows: Sequence[Mapping[str, object]], named: Sequence[tuple[str, str]]) -> list[str]:
    """Whether each file's digest is the one by which the archive keeps it. ``named``: columns of a digest and of a reference."""
    return [
        f"{table} {row['file_name']} says SHA-256 {str(row[digest])[:16]} and is kept as {row[reference]}"
        for row in rows
        for digest, reference in named
        if row[reference] is not None and str(row[reference]).rpartition("/")[2] != row[digest]
    ]


def alert_faults(
    alerts: Sequence[Mapping[str, object]],
    happenings: Sequence[Mapping[str, object]],
    sealed: Sequence[Mapping[str, object]],
    on: date,
) -> list[str]:
    """Whether each alert of which the journal tells is there, and those that a date's assessment sealed last are as it sealed them."""
    known = {row["alert_id"]: row for row in alerts}
    lost = sorted({str(event["alert_id"]) for event in happenings} - {str(i) for i in known})
    wrong = [f"alert {alert_id}: the journal of alerts tells of it, and the register lacks it" for alert_id in lost]
    for said in sealed:
        row = known.get(said["alert_id"])
        if row is None:
            wrong.append(
                f"alert {said['alert_id']} was sealed on {on} ({said['rule']}, {said['subject']}), and the register lacks it"
            )
        elif row["last_seen_on"] == on:
            differing = [name for name in ("rule", "platform", "subject", "figures") if row[name] != said[name]]
            if differing:
                wrong.append(f"alert {said['alert_id']} has another {', '.join(differing)} than was sealed on {on}")
    return wrong


def case_faults(cases: Sequence[Mapping[str, object]], breaks: Sequence[Mapping[str, object]]) -> list[str]:
    """Whether the open cases are exactly the newest reconciled day's breaks, of the same kind and amount, about the same."""
    sealed = {str(b["case_id"]): (str(b["kind"]), int(str(b["amount_minor"]))) for b in breaks}
    open_ = {str(c["case_id"]): (str(c["kind"]), int(str(c["amount_minor"]))) for c in cases if c["state"] == "OPEN"}
    return [
        f"case {case_id} is {open_.get(case_id, 'not open')} in the register and {sealed.get(case_id, 'no break')} in the sealed day"
        for case_id in sorted(set(sealed) | set(open_))
        if sealed.get(case_id) != open_.get(case_id)
    ]


def root_faults(
    custody_date: date,
    version: int,
    root: Sequence[Mapping[str, object]],
    outputs: Sequence[Mapping[str, object]],
    go_live: date,
) -> list[str]:
    """Whether the ``day_root`` of one close names every other step of the date once, each by the digest of the version that
    it names, and yesterday's root (on the first date: none)."""
    committed = {_key(row): str(row["manifest_digest"]) for row in outputs}
    day, yesterday = custody_date.isoformat(), (custody_date - timedelta(days=1)).isoformat()
    place = f"day_root of {day} v{version}"
    wanted = sorted([*(step for step in STEPS if step != "close"), _YESTERDAY])
    found = sorted(str(row["step"]) for row in root)
    wrong = [] if found == wanted else [f"{place} names {', '.join(found)}, not {', '.join(wanted)}"]
    for row in root:
        step, number, digest = str(row["step"]), int(str(row["version"])), str(row["manifest_digest"])
        if step != _YESTERDAY:
            key = (day, step, number)
        elif custody_date == go_live:
            if (number, digest) != (0, GENESIS):
                wrong.append(f"{place} names a day before the first one")
            continue
        else:
            key = (yesterday, "close", number)
        if committed.get(key) != digest:
            says = committed.get(key, "nothing")[:16]
            wrong.append(f"{place} has {digest[:16]} for {_named(key)}, the register has {says}")
    return wrong


_YESTERDAY = "close_of_yesterday"


def _key(output: Mapping[str, object]) -> _Key:
    on = output["custody_date"]
    assert isinstance(on, date)
    return on.isoformat(), str(output["step"]), int(str(output["version"]))


def _named(key: _Key) -> str:
    return f"{key[1]} of {key[0]} v{key[2]}"
