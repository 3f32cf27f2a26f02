"""What is SQLite's own: a transaction takes the write lock when it begins, so that nobody overtakes what it has read."""

import threading
from datetime import date
from pathlib import Path

from connectors.clock import SystemClock
from connectors.register import SqlRegister
from connectors.register_tables import metadata


def test_a_transaction_that_has_only_read_so_far_is_not_overtaken(tmp_path: Path) -> None:
    register = SqlRegister(f"sqlite:///{tmp_path / 'register.db'}", SystemClock())
    metadata.create_all(register.engine)
    written = threading.Event()

    def overtake() -> None:
        with register.transaction() as tx:
            tx.insert("holiday", {"day": date(2020, 1, 1), "business_day": False, "reason": "second"})
        written.set()

    other = threading.Thread(target=overtake)
    with register.transaction() as tx:
        assert tx.find("holiday") == []
        other.start()
        assert not written.wait(0.3)
        tx.insert("holiday", {"day": date(2019, 12, 30), "business_day": True, "reason": "first"})
    other.join(20)
    with register.transaction() as tx:
        assert [row["reason"] for row in tx.find("holiday")] == ["first", "second"]
    register.close()
