"""A Maildir into which a mail server delivers: new mails are read, then moved to cur, never deleted."""

from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024  #: larger mails are moved on unread


def read_new(folder: Path, limit: int = 200) -> list[Path]:
    """The new mails, oldest first; empty when the folder is not there (yet)."""
    new = folder / "new"
    if not new.is_dir():
        return []
    mails = sorted((path for path in new.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime)[
        :limit
    ]
    for large in [path for path in mails if path.stat().st_size > MAX_BYTES]:
        take(large)
        mails.remove(large)
    return mails


def take(path: Path) -> None:
    """Move a mail from new to cur, marked as seen."""
    cur = path.parent.parent / "cur"
    cur.mkdir(exist_ok=True)
    path.rename(cur / f"{path.name}:2,S")
