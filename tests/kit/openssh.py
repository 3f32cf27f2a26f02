"""Tests that ask OpenSSH itself whether a signature is right; where it is not installed they say so and are passed over."""

from __future__ import annotations

import shutil

import pytest

ASKS_SSH_KEYGEN = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH's ssh-keygen is not installed here")
