"""The process that reads or makes one OpenPGP message: what a stranger sent is parsed where it can hurt nobody.

Its standard input is a job (eight hexadecimal digits of length, then JSON), followed by the message or the content; its standard output
is the other one of the two; what it found goes to the descriptor that is its argument, as JSON. Memory is bounded by the system, the
output by its reader, time by its starter.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from pysequoia import Cert, Tsk, decrypt_file, encrypt_file, sign_file

_INPUT, _OUTPUT = "/dev/stdin", "/dev/stdout"


def main(answer_to: int) -> None:
    job = json.loads(_exactly(int(_exactly(8), 16)))
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    found: dict[str, Any] = {"error": None, "issuers": [], "signers": []}
    try:
        _WORK[job["work"]](job, found)
    except (RuntimeError, OSError, ValueError) as error:
        # Behind its first line the library may put a trace of itself.
        found["error"] = (str(error).splitlines() or [type(error).__name__])[0]
    os.write(answer_to, json.dumps(found).encode())


def _open(job: dict[str, Any], found: dict[str, Any]) -> None:
    certs = [Cert.from_bytes(text.encode()) for text in job["certs"]]

    def asked_for(issuers: list[str]) -> list[Cert]:
        found["issuers"] = list(issuers)
        return certs

    store = asked_for if job["signed"] else None
    done = decrypt_file(_INPUT, _OUTPUT, decryptor=Tsk.from_file(job["key"]).decryptor(), store=store)
    found["signers"] = [signature.certificate for signature in done.valid_sigs]


def _protect(job: dict[str, Any], found: dict[str, Any]) -> None:
    signer = Tsk.from_file(job["key"]).signer() if job["signed"] else None
    if job["certs"]:
        recipients = [Cert.from_bytes(text.encode()) for text in job["certs"]]
        encrypt_file(_INPUT, _OUTPUT, recipients=recipients, signer=signer, armor=False)
    elif signer is not None:
        sign_file(signer, _INPUT, _OUTPUT, armor=False)


_WORK = {"open": _open, "protect": _protect}


def _exactly(length: int) -> bytes:
    """So many octets and no more: what follows is the library's."""
    data = b""
    while len(data) < length:
        piece = os.read(0, length - len(data))
        if not piece:
            raise EOFError("the job was cut off")
        data += piece
    return data


if __name__ == "__main__":
    main(int(sys.argv[1]))
