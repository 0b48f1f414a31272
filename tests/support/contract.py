"""The contract with existing clients: names, types and defaults of the seed project's tools and resources."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(__file__).with_name("contract.json")

KNOWN: Final[Mapping[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
