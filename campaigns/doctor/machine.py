"""The machine: its clock, its limits, its time zones, and how the program runs on it."""

import ctypes
import resource
import struct
import sys
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from campaigns.doctor.findings import Finding, bad, ok, warn
from campaigns.flows.sending import IS_COMPILED

FILES_WANTED = 4096  #: connections, database, journals, and room
FILES_NEEDED = 256
ZONES_WANTED = 400
SOME_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
UNSYNCHRONISED = 0x40  #: STA_UNSYNC of <sys/timex.h>
TIMEX = struct.Struct("@IqqqqI")  #: modes, offset, freq, maxerror, esterror, status


def examine_machine() -> Iterator[Finding]:
    """Look at the machine."""
    yield examine_time_service(synchronised=time_service())
    yield examine_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield examine_time_zones()
    found = "compiled" if IS_COMPILED else "interpreted; a compiled one needs a fifth less of the processor"
    yield ok("machine: sender", found)


def examine_time_service(*, synchronised: bool | None) -> Finding:
    """Judge whether the clock is kept right."""
    check, cure = "clock: time service", "Start one: systemctl enable --now systemd-timesyncd (or chrony)."
    if synchronised is None:
        return warn(check, "the machine does not say whether its clock is kept right", cure)
    if not synchronised:
        return warn(check, "the clock is not synchronised; it will drift", cure)
    return ok(check, "the clock is synchronised")


def time_service() -> bool | None:
    """Ask the kernel whether something keeps its clock right; None: it cannot be told."""
    if not sys.platform.startswith("linux") or struct.calcsize("l") != 8:
        return None
    state = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).adjtimex(state) < 0:
        return None
    return not TIMEX.unpack_from(state)[5] & UNSYNCHRONISED


def examine_open_files(limit: int) -> Finding:
    """Judge how many files and connections a process may hold."""
    check = "machine: open files"
    found = "no limit" if limit == resource.RLIM_INFINITY else f"{limit} for each process"
    cure = f"Raise it: LimitNOFILE={FILES_WANTED} in the unit, or ulimit -n {FILES_WANTED}."
    if limit != resource.RLIM_INFINITY and limit < FILES_NEEDED:
        return bad(check, found, cure)
    if limit != resource.RLIM_INFINITY and limit < FILES_WANTED:
        return warn(check, found, cure)
    return ok(check, found)


def examine_time_zones() -> Finding:
    """Judge whether recipients' time zones are known."""
    check, cure = "machine: time zones", "Install tzdata: apt-get install tzdata, or pip install tzdata."
    try:
        for name in SOME_ZONES:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        return bad(check, f"missing: {error}", cure)
    known = len(available_timezones())
    if known < ZONES_WANTED:
        return warn(check, f"only {known} are known", cure)
    return ok(check, f"{known} are known")
