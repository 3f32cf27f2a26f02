"""Who takes part: platforms, channels, the gateway; their contracts as ``world.json`` states them; their keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from custody.names import FileType, PartyKind
from simulator.custody_fee import PER_MILLE_YEAR, PER_TRANSACTION_MINOR, THEN, VALID_FROM, VALID_TO, VAT_RATE
from simulator.people import Person, make_company, make_person
from simulator.settlement import FEE_RATE

_LAYOUTS = {
    FileType.CUSTOMER: "platform_customer/1",
    FileType.LOAN: "platform_loan/1",
    FileType.TXN: "platform_txn/1",
    FileType.CLAIM: "platform_claim/1",
    FileType.BALANCE: "platform_balance/1",
    FileType.SETTLEMENT: "channel_settlement/1",
    FileType.INSTRUCTION: "gateway_instruction/1",
    FileType.MANDATE: "gateway_mandate/1",
    FileType.LEGAL_ORDER: "gateway_legal_order/1",
    FileType.CONFIRMATION: "platform_confirmation/1",
    FileType.DISCLOSURE: "platform_disclosure/1",
}
_SENDS = {
    PartyKind.PLATFORM: (FileType.CUSTOMER, FileType.LOAN, FileType.TXN, FileType.CLAIM, FileType.BALANCE),
    PartyKind.CHANNEL: (FileType.SETTLEMENT,),
    PartyKind.GATEWAY: (FileType.INSTRUCTION, FileType.MANDATE, FileType.LEGAL_ORDER),
}
# What a world's files do not hold, since it answers the bank: whoever plays the parties writes it.
_ANSWERS: dict[PartyKind, tuple[FileType, ...]] = {PartyKind.PLATFORM: (FileType.CONFIRMATION,)}
# Whose branches keep the platforms' contracts.
_BRANCHES = ("上海分行", "北京分行")
_FEE_CONTRACT = {
    "valid_from": VALID_FROM.isoformat(),
    "valid_to": VALID_TO.isoformat(),
    "currency": "CNY",
    "per_mille_year": PER_MILLE_YEAR,
    "day_count": "actual/365",
    "per_transaction_minor": PER_TRANSACTION_MINOR,
    "vat_rate": VAT_RATE,
    "rounding": "half_even",
    "charged": "monthly",
    "charge_business_day": 1,
}
_SIZES_PER_CENT = (40, 70, 100, 100, 150, 250)


class Honesty(StrEnum):
    """What a platform's files are like: as things are, now and then wrong by carelessness, or wrong on purpose."""

    SOUND = "SOUND"
    CARELESS = "CARELESS"
    DISHONEST = "DISHONEST"


_HONESTY = (*[Honesty.SOUND] * 6, *[Honesty.CARELESS] * 3, Honesty.DISHONEST)


@dataclass(frozen=True, slots=True)
class Profile:
    """``size_per_cent``: of the lenders and loans that a world's platforms are asked to have."""

    size_per_cent: int
    honesty: Honesty

    def scaled(self, count: int) -> int:
        return max(1, count * self.size_per_cent // 100)


def profile(seed: int, number: int) -> Profile:
    """Of the platform of that number. The first is a sound one of middle size, so that no world lacks one."""
    if number == 1:
        return Profile(100, Honesty.SOUND)
    rng = Random(f"{seed}|profile|{number}")
    return Profile(rng.choice(_SIZES_PER_CENT), rng.choice(_HONESTY))


@dataclass(frozen=True, slots=True)
class SendingParty:
    party: str
    kind: PartyKind
    name_en: str
    name_zh: str
    encoding: str
    has_e_accounts: bool = False
    publishes: bool = False
    changes_on: date | None = None

    @property
    def file_types(self) -> tuple[FileType, ...]:
        return _SENDS[self.kind]

    def layout(self, file_type: FileType) -> str:
        return _LAYOUTS[file_type]

    def as_json(self) -> dict[str, Any]:
        """The party's entry in world.json; what a kind of party has not is null."""
        # What a contract of the HUB form does not state is left out.
        since = {"core_model_from": VALID_FROM.isoformat()} if self.has_e_accounts else {}
        monthly = (FileType.DISCLOSURE,) if self.publishes else ()
        # Another version of the contract, which two people let in before that date.
        changed = _FEE_CONTRACT | {"per_mille_year": THEN.per_mille_year, "per_transaction_minor": THEN.per_transaction_minor}
        then = {"changes": [{"valid_from": self.changes_on.isoformat(), "fee_contract": changed}]} if self.changes_on else {}
        written = (*self.file_types, *_ANSWERS.get(self.kind, ()), *monthly)
        return {
            "party": self.party,
            "kind": self.kind.value,
            "name_en": self.name_en,
            "name_zh": self.name_zh,
            "encoding": self.encoding,
            "layouts": {file_type.value: [_LAYOUTS[file_type]] for file_type in written},
            "dialect": {},
            "core_model": "E_ACCOUNT" if self.has_e_accounts else "HUB",
            **since,
            **then,
            "file_types": [file_type.value for file_type in self.file_types],
            "fee_rate": FEE_RATE if self.kind is PartyKind.CHANNEL else None,
            "fee_contract": _FEE_CONTRACT if self.kind is PartyKind.PLATFORM else None,
            "branch": _BRANCHES[int(self.party[1:]) % len(_BRANCHES)] if self.kind is PartyKind.PLATFORM else None,
            "related_parties": [_paper(related_party(self.party))] if self.kind is PartyKind.PLATFORM else [],
        }


def related_party(platform: str) -> Person:
    """A company that belongs to the platform's owners: the bank was told of it."""
    return make_company(Random(f"related|{platform}"))


def _paper(person: Person) -> dict[str, str]:
    return {"id_type": person.id_type, "id_no": person.id_no}


def make_parties(
    platforms: int,
    channels: int,
    e_account_platform: int | None = None,
    disclosures: bool = False,
    changes_on: date | None = None,
) -> list[SendingParty]:
    """P001.., CH01.., GW. The second platform writes GB18030, all others UTF-8. ``e_account_platform``: the number of the one whose core
    is in E_ACCOUNT form. ``disclosures``: platforms publish their figures of each month. ``changes_on``: when those of odd number have other
    terms of fees."""
    digits = 3 if platforms < 1_000 else 4
    made = [
        SendingParty(
            f"P{n:0{digits}d}",
            PartyKind.PLATFORM,
            f"Platform {n}",
            f"示例平台{n}号",
            "gb18030" if n == 2 else "utf-8",
            has_e_accounts=n == e_account_platform,
            publishes=disclosures,
            changes_on=changes_on if n % 2 else None,
        )
        for n in range(1, platforms + 1)
    ]
    made += [
        SendingParty(f"CH{n:02d}", PartyKind.CHANNEL, f"Payment channel {n}", f"示例支付渠道{n}号", "utf-8")
        for n in range(1, channels + 1)
    ]
    return [*made, SendingParty("GW", PartyKind.GATEWAY, "Outreach gateway", "外联网关", "utf-8")]


def write_keys(folder: Path, seed: int, parties: list[SendingParty]) -> None:
    """An ed25519 key pair in OpenSSH form for each party: PARTY and PARTY.pub. Demonstration keys: the seed gives them away.

    The key is the seed's; the private file's bytes differ from run to run, since OpenSSH puts a random check number in it.
    """
    folder.mkdir()
    for party in parties:
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{seed}|key|{party.party}".encode()).digest())
        private = folder / party.party
        private.touch(mode=0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        (folder / f"{party.party}.pub").write_bytes(public + f" {party.party}\n".encode())


def make_customers(seed: int, platform: int, lenders: int, borrowers: int) -> tuple[list[Person], list[Person]]:
    """(lenders, borrowers) of a platform, each a person of his own.

    A platform of even number shares three people with the one before it: its second borrower borrows there too, its second
    lender lends there too, and its third borrower is the third lender there.
    """
    lending = [_lender(seed, platform, i) for i in range(lenders)]
    borrowing = [_borrower(seed, platform, i) for i in range(borrowers)]
    if platform % 2 == 0:
        if borrowers > 1:
            borrowing[1] = _borrower(seed, platform - 1, 1)
        if lenders > 1:
            lending[1] = _lender(seed, platform - 1, 1)
        if borrowers > 2 and lenders > 2:
            borrowing[2] = _lender(seed, platform - 1, 2)
    return lending, borrowing


def _lender(seed: int, platform: int, i: int) -> Person:
    return make_person(Random(f"{seed}|lender|{platform}|{i}"))


def _borrower(seed: int, platform: int, i: int) -> Person:
    """The first borrower is a company, which may borrow enough for a thousand lenders; the next two are persons."""
    rng = Random(f"{seed}|borrower|{platform}|{i}")
    is_company = i == 0 or (i > 2 and rng.randrange(4) == 0)
    return make_company(rng) if is_company else make_person(rng)
