"""The seam between one machine and many: whoever is asked to send a chunk, nothing depends on the asking."""

from typing import Protocol


class Executor(Protocol):
    """Passes the number of a chunk on to some sender.

    It may lose, repeat or reorder: the claim in the database decides who sends, and a chunk that nobody
    claimed is submitted again. So nothing that matters lives in a broker.
    """

    def submit(self, run: int, number: int, lane: str, account: str) -> None:
        """Ask for a chunk to be sent soon.

        Raises:
            ExecutorAway: it could not be asked; others neither.
        """
