"""users.py PASSWORDS: reads `custody person list --json`, draws a first password for whoever has none, makes Airflow's users."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

people = json.load(sys.stdin)["people"]
path = Path(sys.argv[1])
passwords = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
passwords |= {p["person_id"]: secrets.token_urlsafe(12) for p in people if p["active"] and p["person_id"] not in passwords}
part = path.with_suffix(".part")
with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as private:
    json.dump(passwords, private, indent=1)
part.replace(path)
asked = json.dumps({"people": people, "passwords": passwords})
subprocess.run([sys.executable, "-m", "console.airflow.auth_users"], input=asked, text=True, check=True, timeout=300)
