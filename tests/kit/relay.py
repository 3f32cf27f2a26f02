"""A relay between us and HBase's Thrift server that holds back or loses the answer of one chosen call: the server has done it by then."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from connectors.loopback import LOOPBACK

_CHUNK = 1 << 16
# A call begins with the protocol's version and type, then its name behind the name's length.
_CALL = b"\x80\x01\x00\x01"


class Relay:
    """Listens on a port of its own. ``trouble`` is asked for each answer: (name of the call, how many of that name so far); what it
    returns is how many seconds the answer is held back, or None to lose it and the connection with it."""

    def __init__(self, port: int, trouble: Callable[[str, int], float | None]) -> None:
        self._to, self._trouble = port, trouble
        self.calls: Counter[str] = Counter()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(ours,), daemon=True).start()

    def _serve(self, ours: socket.socket) -> None:
        """One connection. A Thrift client asks, waits for its answer, and asks again."""
        with ours, suppress(OSError), socket.create_connection((LOOPBACK, self._to)) as server:
            waiting: list[str] = []
            threading.Thread(target=self._ask, args=(ours, server, waiting), daemon=True).start()
            while answer := server.recv(_CHUNK):
                # The first piece of an answer stands for all of it.
                name = waiting.pop() if waiting else None
                held = 0.0 if name is None else self._trouble(name, self.calls[name])
                if held is None:
                    return
                time.sleep(held)
                ours.sendall(answer)

    def _ask(self, ours: socket.socket, server: socket.socket, waiting: list[str]) -> None:
        with suppress(OSError):
            while asked := ours.recv(_CHUNK):
                if asked.startswith(_CALL):
                    length = int.from_bytes(asked[4:8])
                    name = asked[8 : 8 + length].decode()
                    self.calls[name] += 1
                    waiting.append(name)
                server.sendall(asked)
            server.shutdown(socket.SHUT_WR)
