"""The two sides of a boundary, without what lies between them."""

from __future__ import annotations

import json

import pytest

from smolagents.executors.worker.values import Codec


class Boundary:
    """A host that takes the far side as hostile, and a far side that believes the host."""

    def __init__(self):
        self.host = Codec(trusted=False)
        self.far = Codec(trusted=True)

    def there(self, value):
        """What arrives on the far side when the host sends `value`."""
        return self.far.decode(json.loads(json.dumps(self.host.encode(value))))

    def back(self, value):
        """What arrives on the host when the far side sends `value`."""
        return self.host.decode(json.loads(json.dumps(self.far.encode(value))))

    def both(self, value):
        """What arrives on the far side, and what comes back from there."""
        arrived = self.there(value)
        return arrived, self.back(arrived)


@pytest.fixture
def boundary():
    return Boundary()
