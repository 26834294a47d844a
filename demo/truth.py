"""What really happened in the played world, counted by the world itself, to hold the report against."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Truth:
    """The world's own record of one campaign; addresses stand for people."""

    received: set[str] = field(default_factory=set)
    opened: dict[str, set[str]] = field(
        default_factory=lambda: {"human": set(), "privacy": set(), "machine": set()}
    )
    clicked: dict[str, set[str]] = field(default_factory=lambda: {"human": set(), "machine": set()})
    clicks_by_people: Counter[str] = field(default_factory=Counter)  #: by path of the link's number
    viewed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    complained: set[str] = field(default_factory=set)
    bounced_hard: set[str] = field(default_factory=set)
    bounced_soft: set[str] = field(default_factory=set)
    answered: dict[str, int] = field(default_factory=dict)  #: the 0–10 score that each posted
    chosen: Counter[tuple[str, str]] = field(default_factory=Counter)  #: answers posted: question, choice
    wrote: int = 0  #: how many wrote something too
    scored_only: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def note(self, group: set[str], address: str) -> None:
        """Write down one address."""
        with self.lock:
            group.add(address)

    def note_click(self, who: str, address: str, number: str) -> None:
        """Write down a click on a numbered link."""
        with self.lock:
            self.clicked[who].add(address)
            if who == "human":
                self.clicks_by_people[number] += 1

    def people_who_opened(self) -> set[str]:
        """Those whose mail a person opened."""
        return self.opened["human"]

    def opened_by_proxy_only(self) -> set[str]:
        """Those of whom only a privacy proxy fetched the pixel."""
        return self.opened["privacy"] - self.opened["human"]

    def opened_by_machine_only(self) -> set[str]:
        """Those of whom only a machine fetched the pixel."""
        return self.opened["machine"] - self.opened["human"] - self.opened["privacy"]
