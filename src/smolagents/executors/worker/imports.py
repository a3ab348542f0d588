"""Which modules the code may import."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ImportPolicy", "allowed_text", "not_authorized_text"]


class ImportPolicy:
    """Which modules are authorised.

    Args:
        authorized: Names of modules and packages. A package brings its submodules; `pkg.*` says the same; `*` is
            every module.
        dangerous: Modules that are authorised only by their own name, wherever they are.
    """

    def __init__(self, authorized: Iterable[str], dangerous: frozenset[str] = frozenset()) -> None:
        self.authorized = tuple(dict.fromkeys(authorized))
        self.everything = "*" in self.authorized
        self._dangerous = dangerous
        self._entries = {name[:-2] if name.endswith(".*") else name for name in self.authorized}
        self._answers: dict[str, bool] = {}

    def allows(self, name: str) -> bool:
        """Whether the module `name` may be imported."""
        answer = self._answers.get(name)
        if answer is None:
            answer = self._answers[name] = self._decide(name)
        return answer

    def _decide(self, name: str) -> bool:
        if self.everything or name == "__future__":
            return True
        parts = name.split(".")
        least = 1
        for length in range(1, len(parts) + 1):
            if ".".join(parts[:length]) in self._dangerous or parts[length - 1].startswith("_"):
                least = length
        return any(".".join(parts[:length]) in self._entries for length in range(least, len(parts) + 1))

    def leads_to(self, name: str) -> bool:
        """Whether the package `name` is not authorised, but something in it is."""
        prefix = name + "."
        return any(entry.startswith(prefix) for entry in self._entries)

    def allows_import(self, name: str, wanted: Iterable[str]) -> bool:
        """Whether `import name`, or `from name import wanted`, is allowed."""
        if self.allows(name):
            return True
        items = list(wanted)
        if not items:
            return self.leads_to(name)
        return all(self.allows(f"{name}.{item}") for item in items)


def not_authorized_text(policy: ImportPolicy, name: str) -> str:
    """What the model is told when it imports the module `name`, which is not authorised."""
    return (
        f"Import of '{name}' is not authorized. Authorized imports are: {allowed_text(policy)}. "
        "To allow it, add it to additional_authorized_imports."
    )


def allowed_text(policy: ImportPolicy) -> str:
    """The authorised modules, for a model to read."""
    return ", ".join(sorted(policy.authorized)) or "none"
