"""One block of platforms through all days: their own files, and their part of the channels', the gateway's and the core's."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from custody.calendar import dates
from custody.names import PartyKind
from simulator.behaviours import Behaviours, Label
from simulator.config import SimulationConfig
from simulator.core_files import CoreFiles
from simulator.customers import Customers
from simulator.edits import FaultPlan
from simulator.files import WHOLE, Batch, Deliver, file_set, monthly_set
from simulator.movement import DayTruth, PlatformDay
from simulator.parties import SendingParty, make_customers
from simulator.platform_day import PlatformWorld
from simulator.spoil import FileSet
from simulator.volume import PlatformSize


@dataclass(frozen=True, slots=True)
class Block:
    """Number ``number`` of ``of``: these platforms, by number from 1, with their sizes."""

    number: int
    of: int
    platforms: range
    sizes: tuple[PlatformSize, ...]


@dataclass
class Made:
    """What stands in the sound files: movements as the gateway has them, rows of all files, flows of the core."""

    platforms: int = 0
    transactions: int = 0
    rows: int = 0
    core_flows: int = 0

    def add(self, other: Made) -> None:
        self.platforms += other.platforms
        self.transactions += other.transactions
        self.rows += other.rows
        self.core_flows += other.core_flows


class BlockWorld:
    """The block's platforms as they truly live. Call ``run_day`` once for each platform and date, dates in order."""

    def __init__(self, config: SimulationConfig, block: Block) -> None:
        parties = config.parties()
        channels = [party.party for party in parties if party.kind is PartyKind.CHANNEL]
        self.parties = [parties[number - 1] for number in block.platforms]
        self.others = [party for party in parties if party.kind is not PartyKind.PLATFORM]
        self._worlds = [
            _platform(config, party, number, size, channels)
            for party, number, size in zip(self.parties, block.platforms, block.sizes, strict=True)
        ]

    def labels(self) -> list[Label]:
        """Of what is done beside the usual life."""
        return [label for world in self._worlds if world.behaviours is not None for label in world.behaviours.labels]

    def run_day(self, day: date, index: int) -> Iterator[tuple[SendingParty, PlatformDay]]:
        for party, world in zip(self.parties, self._worlds, strict=True):
            yield party, world.run_day(day, index)


def _platform(
    config: SimulationConfig, party: SendingParty, number: int, size: PlatformSize, channels: list[str]
) -> PlatformWorld:
    lenders, borrowers = make_customers(config.seed, number, size.lenders, size.loans)
    return PlatformWorld(
        seed=config.seed,
        platform=party.party,
        number=number,
        days=config.days,
        channels=channels,
        lenders=lenders,
        borrowers=borrowers,
        movements_a_day=size.movements,
        has_e_accounts=party.has_e_accounts,
        publishes=party.publishes,
        changes_on=party.changes_on,
        behaviours=partial(behaviours_of, config, party.party, number) if config.behaviours else None,
    )


def behaviours_of(config: SimulationConfig, platform: str, number: int, people: Customers, lent_minor: int) -> Behaviours:
    """What is done on the platform beside its usual life."""
    return Behaviours(
        seed=config.seed,
        platform=platform,
        number=number,
        platforms=config.platforms,
        start=config.start,
        days=config.days,
        people=people,
        lent_minor=lent_minor,
    )


def make_block(config: SimulationConfig, block: Block, plan: FaultPlan, out: Path, deliver: Deliver) -> Made:
    """Hand each file set of the block's platforms, and the block's batch of all others', to ``deliver``; write the core's part."""
    made = Made(platforms=len(block.platforms))
    world, core, batch = BlockWorld(config, block), CoreFiles(out, block.number, plan), Batch(block.number, block.of)
    last = config.start + timedelta(days=config.days - 1)

    def send(sealed: FileSet, on: date) -> None:
        made.rows += sum(entry.rows for entry, _ in sealed.files)
        deliver(on, sealed)

    def publish(party: SendingParty, truth: DayTruth) -> None:
        """At once into the folder of the day on which it will be sent, if the world lasts that long."""
        published, sealed = truth.platforms[party.party].published, monthly_set(party, truth, plan)
        if published is not None and sealed is not None and published.sent_on <= last:
            send(sealed, published.sent_on)

    with _no_collector():
        for index, day in enumerate(dates(config.start, config.days)):
            truth = DayTruth(day, {})
            for party, own in world.run_day(day, index):
                alone = DayTruth(day, {party.party: own})
                send(file_set(party, alone, plan, WHOLE), day)
                publish(party, alone)
                made.transactions += len(own.instructions)
                # What stands in its own files alone is not needed any more.
                truth.platforms[party.party] = replace(own, customers=[], loans=[], txn=[], claims=[], balances=[])
            for party in world.others:
                send(file_set(party, truth, plan, batch), day)
            core.write_day(truth)
    made.core_flows = core.flows
    return made


@contextmanager
def _no_collector() -> Iterator[None]:
    """A day's movements are many objects and no cycles: looking for these would take a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
