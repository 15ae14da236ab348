from __future__ import annotations

import sys
from pathlib import Path

# pytest's importlib mode puts no folder on the path; `made_up` is shared by the tests here.
sys.path.insert(0, str(Path(__file__).parent))
