"""The bank's own directory as Airflow's log-in: `directory.toml` of the instance as settings of FAB (Flask-AppBuilder).

The directory says who somebody is, and by his groups what of Airflow he sees (the roles of console.airflow.auth_users). What he may decide
stays with our register, where an administrator adds him under the same name: a group alone decides nothing, and who is in no register has
no page. Without the file people log in with passwords of their own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from custody.errors import UsageError
from custody.services.people import DUTIES

FILE_NAME = "directory.toml"
# Flask-AppBuilder's numbers (flask_appbuilder.const), which is imported by the API server alone.
AUTH_DB, AUTH_LDAP, AUTH_OAUTH = 1, 2, 4
# How FAB reads the answer of a provider is told by its name; what they share is OpenID Connect.
OIDC_PROVIDERS = ("keycloak", "okta", "azure", "authentik", "auth0")

_COMMON = {"kind": True, "groups": False}
# setting -> whether it must be there
_SETTINGS: Mapping[str, Mapping[str, bool]] = {
    "ldap": {
        "server": True, "search": True, "uid_field": True, "bind_user": True, "bind_password_file": True, "group_field": False, "ca_file": False,
        "start_tls": False,
    },
    "oidc": {"provider": True, "metadata_url": True, "api_url": False, "client_id": True, "client_secret_file": True, "scope": False},
}  # fmt: skip


def role_name(duty: str) -> str:
    """What a duty is called among Airflow's roles."""
    return f"custody {duty}"


def fab_settings(home: Path) -> dict[str, Any]:
    """Settings for FAB from ``home``/directory.toml; local users where there is none. Raises UsageError that names file and setting."""
    path = home / FILE_NAME
    base: dict[str, Any] = {"WTF_CSRF_ENABLED": True, "AUTH_TYPE": AUTH_DB}
    if not path.exists():
        return base
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    kind = str(said.get("kind", ""))
    if kind not in _SETTINGS:
        raise UsageError(f"{path}: kind {kind!r} is neither of {', '.join(_SETTINGS)}")
    known = {**_COMMON, **_SETTINGS[kind]}
    faults = [f"{name}: there is no such setting of kind {kind}" for name in said if name not in known]
    faults += [f"{name}: is missing" for name, needed in known.items() if needed and not said.get(name)]
    faults += [f"{name}: must be {words}" for name, words, fits in _TYPES if name in said and not fits(said[name])]
    if faults:
        raise UsageError(f"{path}: {'; '.join(faults)}")
    groups = {group: [role_name(duty) for duty in duties] for group, duties in said.get("groups", {}).items()}
    made = _ldap(said, home) if kind == "ldap" else _oidc(said, home)
    # Whom a group brings is made at his first log-in, and has at each log-in the roles of his groups and no others.
    mapped = {"AUTH_ROLES_MAPPING": groups, "AUTH_ROLES_SYNC_AT_LOGIN": True} if groups else {}
    return {**base, **made, **mapped, "AUTH_USER_REGISTRATION": bool(groups)}


def _groups_fit(groups: object) -> bool:
    return isinstance(groups, dict) and all(isinstance(v, list) and v and set(v) <= set(DUTIES) for v in groups.values())


_TYPES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("groups", f"a table: group to a list of duties ({', '.join(sorted(DUTIES))})", _groups_fit),
    ("start_tls", "true or false", lambda said: isinstance(said, bool)),
    ("server", "ldaps://HOST[:PORT] or ldap://HOST[:PORT]", lambda said: str(said).startswith(("ldaps://", "ldap://"))),
    ("provider", f"one of {', '.join(OIDC_PROVIDERS)}", lambda said: said in OIDC_PROVIDERS),
)


def _ldap(said: Mapping[str, Any], home: Path) -> dict[str, Any]:
    made = {
        "AUTH_TYPE": AUTH_LDAP,
        "AUTH_LDAP_SERVER": said["server"],
        "AUTH_LDAP_USE_TLS": said.get("start_tls", False),
        "AUTH_LDAP_TLS_DEMAND": True,
        "AUTH_LDAP_SEARCH": said["search"],
        "AUTH_LDAP_UID_FIELD": said["uid_field"],
        "AUTH_LDAP_BIND_USER": said["bind_user"],
        "AUTH_LDAP_BIND_PASSWORD": _secret(home, said["bind_password_file"]),
        "AUTH_LDAP_GROUP_FIELD": said.get("group_field", "memberOf"),
    }
    return made | ({"AUTH_LDAP_TLS_CACERTFILE": str(home / said["ca_file"])} if said.get("ca_file") else {})


def _oidc(said: Mapping[str, Any], home: Path) -> dict[str, Any]:
    remote = {
        "client_id": said["client_id"],
        "client_secret": _secret(home, said["client_secret_file"]),
        "server_metadata_url": said["metadata_url"],
        "client_kwargs": {"scope": said.get("scope", "openid profile email groups")},
    }
    if said.get("api_url"):
        remote["api_base_url"] = said["api_url"]
    provider = {"name": said["provider"], "icon": "fa-key", "token_key": "access_token", "remote_app": remote}
    return {"AUTH_TYPE": AUTH_OAUTH, "OAUTH_PROVIDERS": [provider]}


def _secret(home: Path, name: str) -> str:
    path = home / name
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{path}, which {FILE_NAME} names, cannot be read: {error.strerror}") from error
