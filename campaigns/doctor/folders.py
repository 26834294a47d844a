"""The folders: whose they are, who may read them, on which disk they are, and how full it is."""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

from campaigns.config import Settings
from campaigns.doctor.findings import Finding, bad, ok, warn

MB = 1_000_000
LEAST_FREE, GOOD_FREE = 200 * MB, 2_000 * MB
SLOW_SYNC = 0.05  #: seconds; each claim, settlement and hit waits for one
SHORTEST_SECRET = 32  #: bytes
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs")
FLEETING = {
    "tmpfs": "the machine's memory",
    "ramfs": "the machine's memory",
    "overlay": "a container's layer",
}
MOUNTS = Path("/proc/self/mountinfo")


def examine_folders(settings: Settings) -> Iterator[Finding]:
    """Look at the data folder, the senders' journals and the secret."""
    yield from examine_folder("data folder", settings.data)
    if settings.journals.exists():
        yield from examine_folder("journal folder", settings.journals)
    else:
        yield ok("journal folder", f"{settings.journals} is made by the first sender")
    yield examine_secret(settings)
    maildir = settings.bounce_maildir
    if maildir is not None:
        yield examine_maildir(maildir)


def examine_folder(name: str, path: Path) -> Iterator[Finding]:
    """Judge one folder."""
    if not path.is_dir():
        yield bad(name, f"{path} is no folder", f"mkdir -m 700 {path}")
        return
    yield _owner(name, path)
    yield _mode(name, path)
    yield _writeable(name, path)
    yield _disk(name, path)
    yield examine_space(name, shutil.disk_usage(path).free)


def _owner(name: str, path: Path) -> Finding:
    owner, own = path.stat().st_uid, os.geteuid()
    if owner not in {own, 0} or (owner == 0 and own != 0):
        cure = f"chown -R {own} {path}, or run Postroom as user {owner}."
        return warn(f"{name}: owner", f"{path} belongs to user {owner}; this is user {own}", cure)
    return ok(f"{name}: owner", f"user {owner}")


def _mode(name: str, path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return warn(
            f"{name}: mode", f"{path} is {mode:04o}: others on this machine see in", f"chmod 700 {path}"
        )
    return ok(f"{name}: mode", f"{mode:04o}")


def _writeable(name: str, path: Path) -> Finding:
    probe = path / f".doctor-{secrets.token_hex(4)}"
    try:
        took = _write_through(probe)
    except OSError as error:
        cure = f"Make room, or give the folder to user {os.geteuid()}: nothing is sent without it."
        return bad(f"{name}: writeable", f"{path}: {error.strerror or error}", cure)
    finally:
        with suppress(OSError):
            probe.unlink()
    found = f"a durable write took {took * 1000:.1f} ms"
    if took > SLOW_SYNC:
        return warn(f"{name}: writeable", found, "Use a faster disk: sending and tracking wait for it.")
    return ok(f"{name}: writeable", found)


def _write_through(probe: Path) -> float:
    began = monotonic()
    with probe.open("xb") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
    return monotonic() - began


def _disk(name: str, path: Path) -> Finding:
    kind = filesystem(path)
    check = f"{name}: disk"
    if kind in REMOTE:
        cure = "Use a local disk: locks and what a crash leaves cannot be trusted on another machine's."
        return bad(check, f"{path} is on {kind}, over a network", cure)
    if kind in FLEETING:
        cure = "Put it on a disk or a volume, or everything in it is lost with it."
        return warn(check, f"{path} is on {kind}: {FLEETING[kind]}", cure)
    return ok(check, f"local ({kind})" if kind else "local, as far as can be told")


def filesystem(path: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system that holds a path; empty: it cannot be told."""
    best, kind = -1, ""
    with suppress(OSError):
        for line in mounts.read_text(errors="replace").splitlines():
            fields, _, after = line.partition(" - ")
            point = Path(fields.split()[4].replace("\\040", " "))
            if path.resolve().is_relative_to(point) and len(point.parts) >= best:
                best, kind = len(point.parts), after.split()[0]
    return kind


def examine_space(name: str, free: int) -> Finding:
    """Judge how much may still be written."""
    found = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE:
        return bad(f"{name}: space", found, "Make room now: without it nothing is sent and no hit is kept.")
    if free < GOOD_FREE:
        return warn(
            f"{name}: space", found, "Make room: a million messages with their history take about 1 GB."
        )
    return ok(f"{name}: space", found)


def examine_secret(settings: Settings) -> Finding:
    """Judge who may read the key, and whether it can be guessed."""
    check, path = "secret", settings.data / "secret.key"
    if len(settings.secret) < SHORTEST_SECRET:
        cure = (
            "Use at least 32 random characters. A new secret makes all unsubscribe links of old mails dead."
        )
        return warn(check, f"only {len(settings.secret)} characters long", cure)
    if not path.exists() or path.read_bytes().strip() != settings.secret:
        return ok(check, "given by POSTROOM_SECRET")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return bad(check, f"{path} is {mode:04o}: others can sign in our name", f"chmod 600 {path}")
    return ok(check, f"{path} is {mode:04o}")


def examine_maildir(maildir: Path) -> Finding:
    """Judge whether returned mail can be read and moved on."""
    missing = [
        name for name in ("new", "cur", "tmp") if not os.access(maildir / name, os.R_OK | os.W_OK | os.X_OK)
    ]
    if missing:
        found = f"{maildir} lacks {', '.join(missing)}, or they may not be written by user {os.geteuid()}"
        return bad(
            "returned mail", found, "Let the mail server make the Maildir, and give Postroom its group."
        )
    return ok("returned mail", f"{maildir} can be read")
