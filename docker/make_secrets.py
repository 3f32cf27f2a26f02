"""Draws what docker/compose.yaml takes as secrets into docker/secrets; what is there already stays.

Containers read them as other users than the host's, so the files are readable and the folder is its owner's alone.
"""

import base64
import secrets
from pathlib import Path

folder = Path(__file__).parent / "secrets"
folder.mkdir(mode=0o700, exist_ok=True)
names = ("postgres_password", "custody_db_password", "airflow_db_password", "airflow_api_secret", "airflow_jwt_secret")
drawn = {name: secrets.token_urlsafe(48) for name in names}
# Fernet's own form of a key.
drawn["airflow_fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
for name, text in drawn.items():
    path = folder / name
    if not path.exists():
        path.write_text(text, encoding="ascii")
        path.chmod(0o644)
