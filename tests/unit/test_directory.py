"""The bank's directory as settings of FAB (console/airflow/directory.py): what is written is what is set, and what is wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.airflow.directory import AUTH_DB, AUTH_LDAP, AUTH_OAUTH, FILE_NAME, fab_settings
from custody.errors import UsageError

LDAP = """
kind = "ldap"
server = "ldaps://directory.bank.example"
search = "ou=people,dc=bank,dc=example"
uid_field = "sAMAccountName"
bind_user = "cn=reader,dc=bank,dc=example"
bind_password_file = "keys/directory"
ca_file = "keys/directory-ca.pem"
[groups]
"cn=custody-operators,dc=bank,dc=example" = ["operator"]
"cn=custody-heads,dc=bank,dc=example" = ["supervisor", "risk_officer"]
"""
OIDC = """
kind = "oidc"
provider = "keycloak"
metadata_url = "https://login.bank.example/realms/bank/.well-known/openid-configuration"
api_url = "https://login.bank.example/realms/bank/protocol/"
client_id = "custody"
client_secret_file = "keys/directory"
[groups]
"/custody/auditors" = ["auditor"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "directory").write_text("secret\n")
    return tmp_path


def test_without_the_file_people_have_passwords_of_their_own(home: Path) -> None:
    assert fab_settings(home) == {"AUTH_TYPE": AUTH_DB, "WTF_CSRF_ENABLED": True}


def test_a_directory_by_ldap_is_asked_over_tls_and_its_groups_are_roles_at_each_log_in(home: Path) -> None:
    (home / FILE_NAME).write_text(LDAP)
    made = fab_settings(home)
    assert made["AUTH_TYPE"] == AUTH_LDAP and made["AUTH_LDAP_TLS_DEMAND"] is True
    assert made["AUTH_LDAP_BIND_PASSWORD"] == "secret"
    assert made["AUTH_LDAP_TLS_CACERTFILE"] == str(home / "keys" / "directory-ca.pem")
    assert made["AUTH_ROLES_MAPPING"]["cn=custody-heads,dc=bank,dc=example"] == ["custody supervisor", "custody risk_officer"]
    assert made["AUTH_ROLES_SYNC_AT_LOGIN"] is True and made["AUTH_USER_REGISTRATION"] is True


def test_without_groups_only_who_is_in_our_register_may_log_in(home: Path) -> None:
    (home / FILE_NAME).write_text(LDAP.partition("[groups]")[0])
    made = fab_settings(home)
    assert made["AUTH_USER_REGISTRATION"] is False and "AUTH_ROLES_MAPPING" not in made


def test_a_provider_of_openid_connect(home: Path) -> None:
    (home / FILE_NAME).write_text(OIDC)
    made = fab_settings(home)
    (provider,) = made["OAUTH_PROVIDERS"]
    assert made["AUTH_TYPE"] == AUTH_OAUTH and provider["name"] == "keycloak"
    assert provider["remote_app"]["client_secret"] == "secret"
    assert provider["remote_app"]["client_kwargs"] == {"scope": "openid profile email groups"}
    assert made["AUTH_ROLES_MAPPING"] == {"/custody/auditors": ["custody auditor"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind =", "directory.toml"),
        ('kind = "nis"', "kind 'nis' is neither of ldap, oidc"),
        (LDAP.replace("uid_field", "uid"), "uid: there is no such setting of kind ldap; uid_field: is missing"),
        (LDAP.replace('["operator"]', '["teller"]'), "groups: must be a table"),
        (LDAP.replace('["operator"]', '"operator"'), "groups: must be a table"),
        (LDAP.replace("ldaps://", "https://"), "server: must be ldaps://"),
        (LDAP.replace('keys/directory"', 'keys/none"'), "which directory.toml names, cannot be read"),
        (OIDC.replace('"keycloak"', '"bank"'), "provider: must be one of keycloak"),
    ],
)
def test_what_is_wrong_is_told_by_its_setting(home: Path, text: str, words: str) -> None:
    (home / FILE_NAME).write_text(text)
    with pytest.raises(UsageError, match=FILE_NAME) as refused:
        fab_settings(home)
    assert words in str(refused.value)
