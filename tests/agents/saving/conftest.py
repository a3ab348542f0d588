from __future__ import annotations

import sys
from pathlib import Path

from support.fresh_process import fresh_python

__all__ = ["fresh_python"]

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))
