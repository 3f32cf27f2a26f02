"""Which registers a ledger asks beside those of statuses and claims, in which order."""

from __future__ import annotations

from custody.aml_holds import AmlHolds
from custody.calendar import SettlementCalendar
from custody.ledger import Register
from custody.ledger_state import LedgerState
from custody.legal_orders import LegalOrders
from custody.mandates import MandateRegister
from custody.suspense import SuspenseRegister
from custody.unsettled import UnsettledMoney


def registers_of(state: LedgerState, calendar: SettlementCalendar) -> tuple[Register, ...]:
    return (
        # Mostly nobody is, and every leg would be asked.
        *((AmlHolds(state),) if state.held else ()),
        MandateRegister(state),
        LegalOrders(state),
        SuspenseRegister(state, calendar),
        UnsettledMoney(state, calendar),
    )
