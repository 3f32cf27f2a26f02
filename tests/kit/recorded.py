"""What tests recorded with ``record_property``, read back from pytest's JUnit file: the tables of the soak are made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def recorded(junit: Path, name: str) -> list[Any]:
    """The JSON values under this name in the order of the tests, of those that failed too."""
    cases = ElementTree.parse(junit).getroot().iter("testcase")
    properties = (one.attrib for case in cases for one in case.iter("property"))
    return [json.loads(said["value"]) for said in properties if said["name"] == name]
