"""The drop as an SFTP server of our own (real SSH), for one machine, the demo and the tests.

A bank's own gateway takes its place. One user for each party, and the collector. Public keys
only; no passwords, shell, commands or forwarding.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import asyncssh

from connectors.authorized_keys import accepted_keys
from connectors.drop_folder import DropFolder
from connectors.settings import Settings
from custody.services.organisations import PARTY_ID

_STOP_SECONDS = 10


def with_port(settings: Settings, port: int) -> Settings:
    """The same settings with the port that the server chose (port 0 lets it choose)."""
    return settings.model_copy(update={"sftp": settings.sftp.model_copy(update={"port": port})})


class _Login(asyncssh.SSHServer):  # type: ignore[misc]
    """Decides who may log in. Forwarding stays refused, as asyncssh does unless told otherwise."""

    def __init__(self, authorized: Path, collector: str) -> None:
        self._authorized = authorized
        self._collector = collector

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        # The name becomes a path below: only forms that cannot be anything but a file name go on.
        if username != self._collector and not PARTY_ID.fullmatch(username):
            return False
        path = self._authorized / username
        if not path.is_file():
            return False
        # Read at each log-in, so that an onboarded party works without a restart and a suspended one stops.
        allowed = accepted_keys(path.read_text(encoding="ascii"), datetime.now(UTC))
        return any(key.public_data == asyncssh.import_public_key(one).public_data for one in allowed)


class DropServer:
    """``with DropServer(settings) as server: server.port``, or ``DropServer(settings).serve_forever()``."""

    def __init__(self, settings: Settings) -> None:
        # A line for each packet is of no use to anybody; refusals and errors still show.
        asyncssh.set_log_level(logging.WARNING)
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self.port = 0

    def __enter__(self) -> DropServer:
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run_thread, args=(started,), name="drop-server", daemon=True)
        self._thread.start()
        self.port = started.result(timeout=self._settings.sftp.timeout_seconds)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._loop is not None and self._stop is not None and self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=_STOP_SECONDS)

    def serve_forever(self) -> None:
        """Serve until SIGINT or SIGTERM."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._stop.set)
            await self._serve(None)

        asyncio.run(main())

    def _run_thread(self, started: Future[int]) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            await self._serve(started)

        try:
            asyncio.run(main())
        except (OSError, asyncssh.Error, ValueError) as error:
            # The waiting starter raises it: a thread has no caller of its own.
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[int] | None) -> None:
        sftp = self._settings.sftp
        authorized = self._settings.path(sftp.authorized_keys)
        acceptor = await asyncssh.listen(
            sftp.host,
            sftp.port,
            server_host_keys=[str(self._settings.path(sftp.host_key))],
            server_factory=lambda: _Login(authorized, sftp.collector_user),
            sftp_factory=self._folder,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_scp=False,
            login_timeout=sftp.timeout_seconds,
        )
        self.port = acceptor.get_port()
        if started is not None:
            started.set_result(self.port)
        assert self._stop is not None
        await self._stop.wait()
        acceptor.close()
        await acceptor.wait_closed()

    def _folder(self, channel: asyncssh.SSHServerChannel[bytes]) -> DropFolder:
        sftp = self._settings.sftp
        user = str(channel.get_extra_info("username"))
        root = self._settings.path(sftp.drop_root)
        if user == sftp.collector_user:
            return DropFolder(channel, root, 1, sftp.max_file_bytes)
        return DropFolder(channel, root / user, 0, sftp.max_file_bytes)
