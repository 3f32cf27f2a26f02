"""Who has accounts on a platform, and how these open, change and close."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from custody.names import Role
from simulator import hours
from simulator.movement import Holder, Row
from simulator.people import Person, make_company, make_person, with_new_card, with_new_phone
from simulator.states import ACCOUNT, AccountState

if TYPE_CHECKING:
    from simulator.today import Today

NEWCOMERS_FROM_LENDERS = 12  # a smaller platform has none
_LENDERS_A_NEWCOMER, _CUSTOMERS_A_CHANGE = 100, 200
_NEWCOMERS_EVERY_DAYS = 5
_PAYS_DIRECTLY_ONE_IN = 4


class Customers:
    """Lenders and borrowers are given; guarantors, payees and newcomers the platform finds itself.

    ``guests`` are newcomers of today who only look: each pays in, takes it out again, and closes the next day. Other newcomers
    stay as lenders.
    """

    def __init__(self, seed: int, platform: str, number: int, lenders: list[Person], borrowers: list[Person]) -> None:
        # User numbers differ between platforms, since business keys of findings do not name the platform.
        self._prefix, self._seed = f"{number:03d}", f"{seed}|%s|{platform}|%s"
        self.person: dict[Holder, Person] = {}
        self.lenders = [self._known(Role.LENDER, "U", i, person) for i, person in enumerate(lenders)]
        self.borrowers = [self._known(Role.BORROWER, "B", i, person) for i, person in enumerate(borrowers)]
        self.guests: list[Holder] = []
        self._leaving: list[Holder] = []
        self._newcomers = 1 + len(lenders) // _LENDERS_A_NEWCOMER if len(lenders) >= NEWCOMERS_FROM_LENDERS else 0
        # Who pays by transfer to the custody account, not through a channel: his money is there at once.
        self.savers = self.lenders[_PAYS_DIRECTLY_ONE_IN - 1 :: _PAYS_DIRECTLY_ONE_IN]
        self._direct = {*self.savers, *(b for b in self.borrowers if self.person[b].kind == "COMPANY")}
        self._state: dict[Holder, AccountState] = dict.fromkeys(self.person, AccountState.PLANNED)
        self._met = 0
        self._found_so_far = {Role.LENDER: len(lenders), Role.GUARANTOR: 0, Role.PAYEE: 0}

    def guarantor(self) -> Holder:
        """A new company that will answer for loans."""
        return self._find(Role.GUARANTOR, "G", make_company)

    def payee(self) -> Holder:
        """A new company to which borrowers let their loans be paid."""
        return self._find(Role.PAYEE, "Y", make_company)

    def meet(self, role: Role, person: Person) -> Holder:
        """One more who is there from the first day, for a story of his own; he pays by transfer."""
        self._met += 1
        holder = self._known(role, "M", self._met, person)
        self._state[holder] = AccountState.PLANNED
        self._direct.add(holder)
        return holder

    def pays_directly(self, holder: Holder) -> bool:
        return holder in self._direct

    def open(self, today: Today) -> None:
        """All that are known on the first day; every few days newcomers, by turns to look and to stay."""
        self._leaving, self.guests = self.guests, []
        arriving = list(self.person) if today.index == 0 else []
        if today.index % _NEWCOMERS_EVERY_DAYS == 0:
            for _ in range(self._newcomers):
                newcomer = self._find(Role.LENDER, "U", make_person)
                arriving.append(newcomer)
                (self.guests if today.index % (2 * _NEWCOMERS_EVERY_DAYS) == 0 else self.lenders).append(newcomer)
        for holder in arriving:
            self._step(holder, AccountState.OPEN)
            today.accounts.open(holder)
            today.customers.append(self._row(today, holder, "OPEN", hours.OPENINGS))

    def change(self, today: Today) -> None:
        """A few change their phone number or their card."""
        if today.index == 0:
            return
        for holder in today.some(self.lenders + self.borrowers, 1 + len(self.lenders) // _CUSTOMERS_A_CHANGE):
            self._step(holder, AccountState.OPEN)
            renew = with_new_card if today.rng.random() < 0.5 else with_new_phone
            self.person[holder] = renew(self.person[holder], today.rng)
            today.customers.append(self._row(today, holder, "CHANGE", hours.CHANGES))

    def close(self, today: Today) -> None:
        """Yesterday's guests leave."""
        for holder in self._leaving:
            self._step(holder, AccountState.CLOSED)
            today.accounts.close(holder)
            today.customers.append(self._row(today, holder, "CLOSE", hours.CLOSINGS))

    def _step(self, holder: Holder, then: AccountState) -> None:
        self._state[holder] = ACCOUNT.step(holder[1], self._state[holder], then)

    def _row(self, today: Today, holder: Holder, action: str, when: hours.Hours) -> Row:
        person = self.person[holder]
        return {
            "user_no": holder[1],
            "role": holder[0],
            "action": action,
            "kind": person.kind,
            "id_type": person.id_type,
            "id_no": person.id_no,
            "name": person.name,
            "phone": person.phone,
            "card_no": person.card_no,
            "event_time": today.time(when),
        }

    def _known(self, role: Role, letter: str, i: int, person: Person) -> Holder:
        holder = (role.value, f"{letter}{self._prefix}{i + 1:06d}")
        self.person[holder] = person
        return holder

    def _find(self, role: Role, letter: str, make: Callable[[Random], Person]) -> Holder:
        """One more, made from the seed and his number; he pays by transfer."""
        i = self._found_so_far[role]
        self._found_so_far[role] += 1
        holder = self._known(role, letter, i, make(Random(self._seed % (role.value, i))))
        self._state[holder] = AccountState.PLANNED
        self._direct.add(holder)
        return holder
