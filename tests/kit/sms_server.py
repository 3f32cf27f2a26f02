"""An SMS gateway as a process of its own: takes POSTs of {id, to, text}, knows a message by its Idempotency-Key, and misbehaves as the
file ``mode`` in its folder says: ok; slow (answers after SLOW_SECONDS); 503; 400; 429; drop (closes before it took it); lost (takes it, and
closes without an answer); mixed (each of them by turns). What it took stands in ``taken.jsonl``, one line for each SMS that a telephone
would have got; every request in ``asked.jsonl``.

    python tests/kit/sms_server.py FOLDER PORT
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

SLOW_SECONDS = 3
MIXED = ("lost", "503", "drop", "ok")


def main(folder: Path, port: int) -> None:
    known = {json.loads(line)["key"]: json.loads(line)["number"] for line in _lines(folder / "taken.jsonl")}
    lock = Lock()
    asked = [0]

    class Gateway(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            key, mode = self.headers["Idempotency-Key"], (folder / "mode").read_text().strip()
            with lock:
                asked[0] += 1
                if mode == "mixed":
                    mode = MIXED[asked[0] % len(MIXED)]
                _add(folder / "asked.jsonl", {"key": key, "mode": mode, "token": self.headers.get("Authorization")})
            if mode == "drop":
                self.connection.close()
                return
            if mode.isdecimal():
                self._answer(int(mode), {"error": "so it was told"})
                return
            if mode == "slow":
                time.sleep(SLOW_SECONDS)
            with lock:
                if key not in known:
                    known[key] = f"N{len(known) + 1}"
                    _add(folder / "taken.jsonl", {"key": key, "number": known[key], **json.loads(body)})
            if mode == "lost":
                self.connection.close()
                return
            self._answer(202, {"number": known[key]})

        def _answer(self, status: int, said: dict[str, str]) -> None:
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", port), Gateway) as server:
        (folder / "port").write_text(str(server.server_address[1]))
        server.serve_forever()


def _add(path: Path, said: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(said, ensure_ascii=False) + "\n")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
