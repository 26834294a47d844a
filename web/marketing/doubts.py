"""Messages in doubt: who they are, where to ask, what a person decides; nothing happens without a look."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, gettext, lazy_gettext, ngettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import NotAllowed
from campaigns.flows import doubting
from campaigns.flows.doubting import Decision, Refusal
from campaigns.records import campaigns as records
from campaigns.records import outbox
from campaigns.records.outbox import DoubtedRun
from campaigns.values import EventKind, MessageKey
from web.language import number
from web.marketing.catcher import is_caught
from web.marketing.desk import actor, desk, signing
from web.numbers import number_from
from web.session import read, routing, write

doubts = desk("doubts", "/doubts")

PAGE = 50
MOST_HOURS = 720
#: What proves that a mail arrived, in words.
PROOFS: Mapping[str, LazyString] = {
    EventKind.DELIVERED: lazy_gettext("delivered"),
    EventKind.OPENED: lazy_gettext("opened"),
    EventKind.CLICKED: lazy_gettext("clicked"),
    EventKind.VIEWED: lazy_gettext("read in a browser"),
    EventKind.SCORE_CLICKED: lazy_gettext("answered in the mail"),
    EventKind.ANSWERED: lazy_gettext("answered the survey"),
    EventKind.REPLIED: lazy_gettext("replied"),
    EventKind.UNSUBSCRIBED: lazy_gettext("unsubscribed"),
    EventKind.CONSENT_GRANTED: lazy_gettext("used its preferences page"),
    EventKind.CONSENT_WITHDRAWN: lazy_gettext("used its preferences page"),
    EventKind.BOUNCED: lazy_gettext("came back"),
    EventKind.COMPLAINED: lazy_gettext("reported as spam"),
}
REFUSALS: Mapping[Refusal, LazyString] = {
    Refusal.DELETED: lazy_gettext("The campaign was deleted; nothing of it is sent again."),
    Refusal.ENDED: lazy_gettext("The campaign was ended; nothing of it is sent again."),
    Refusal.LATE: lazy_gettext("Its time is over: its mails were not to go out later than this."),
    Refusal.ENDING: lazy_gettext("Its time is over and it is just being ended. Try again in a minute."),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which doubts a page is about: all, or a campaign's."""

    campaign: int | None

    @property
    def url(self) -> str:
        """The address of its list."""
        return url_for("doubts.index", campaign=self.campaign)


@dataclass(frozen=True, slots=True)
class Group:
    """What of one run a decision would be about."""

    run: DoubtedRun
    count: int
    proven: int
    why_not: Refusal | None  #: why it cannot be sent again


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person has chosen: some messages by name, or all that were in doubt when the page was made."""

    scope: Scope
    named: tuple[MessageKey, ...]
    all_until: datetime | None

    def seqs(self, run: int) -> list[int] | None:
        """The places chosen in a run; None for all."""
        return None if self.all_until else [key.seq for key in self.named if key.run == run]


@doubts.get("/")
def index() -> ResponseReturnValue:
    """List messages in doubt, of all campaigns or of one."""
    return _list(Scope(number_from(request.args.get("campaign"))))


def _list(scope: Scope, *, problem: str = "") -> ResponseReturnValue:
    after = _key(request.args.get("after", ""))
    with read() as session:
        campaign = None if scope.campaign is None else records.get(session, scope.campaign)
        held = outbox.doubted_runs(session, campaign=scope.campaign)
        rows = outbox.in_doubt(session, campaign=scope.campaign, after=after, limit=PAGE + 1)
        everywhere = outbox.doubted_runs(session)
    keyring = signing().keyring
    html = render_template(
        "marketing/doubts/index.html",
        campaign=campaign,
        scope=scope,
        rows=[(row, doubting.message_id(row, keyring)) for row in rows[:PAGE]],
        more=len(rows) > PAGE,
        after=after,
        total=sum(run.unknown for run in held),
        campaigns=_by_campaign(everywhere),
        server=None if is_caught() else ", ".join(routing().places()),
        proof_words=PROOFS,
        until=utc_now().isoformat(),
        problem=problem,
    )
    return html, 422 if problem else 200


def _by_campaign(held: Sequence[DoubtedRun]) -> list[tuple[int, str, int]]:
    """Campaigns with messages in doubt, and how many: the choices of the filter."""
    counts: Counter[tuple[int, str]] = Counter()
    for run in held:
        counts[run.campaign_id, run.campaign] += run.unknown
    return [(campaign, name, count) for (campaign, name), count in counts.items()]


@doubts.post("/ask")
def ask() -> ResponseReturnValue:
    """Repeat what is about to happen, with its numbers."""
    chosen, decision = _chosen(), _decision()
    if chosen.all_until is None and not chosen.named:
        return _list(chosen.scope, problem=_("Choose at least one message, or all."))
    return _ask(chosen, decision)


def _ask(chosen: Chosen, decision: Decision, *, problem: str = "") -> ResponseReturnValue:
    with read() as session:
        groups = _groups(session, chosen)
    if not groups:
        flash(_("None of these is in doubt any more; nothing was changed."), "info")
        return redirect(chosen.scope.url)
    html = render_template(
        "marketing/doubts/ask.html",
        **_asked(groups, decision),
        scope=chosen.scope,
        chosen=chosen,
        decision=decision,
        refusals=REFUSALS,
        within=request.form.get("within", ""),
        problem=problem,
        most_hours=MOST_HOURS,
    )
    return html, 422 if problem else 200


def _asked(groups: Sequence[Group], decision: Decision) -> dict[str, object]:
    """The numbers that are repeated: what happens surely, what only if more time is given, what cannot."""
    if decision is Decision.ARRIVED:
        proven, count = sum(one.proven for one in groups), sum(one.count for one in groups)
        return {"groups": groups, "late": (), "barred": (), "count": count, "proven": proven}
    in_time = [one for one in groups if one.why_not is None]
    late = [one for one in groups if one.why_not is Refusal.LATE]
    sure = in_time or late
    return {
        "groups": sure,
        "late": late,
        "only_late": not in_time,
        "late_count": sum(one.count - one.proven for one in late),
        "barred": [one for one in groups if one.why_not not in {None, Refusal.LATE}],
        "count": sum(one.count - one.proven for one in sure),
        "proven": sum(one.proven for one in sure),
    }


def _groups(session: Session, chosen: Chosen) -> list[Group]:
    """What is chosen and still in doubt, by run."""
    runs = outbox.doubted_runs(session, campaign=chosen.scope.campaign)
    proven = outbox.proven(session)
    if chosen.all_until is None:
        found = Counter(one.run for one in outbox.still_in_doubt(session, chosen.named))
        runs = [run for run in runs if run.run in found]
        proven = {key: proof for key, proof in proven.items() if key in chosen.named}
    else:
        found = Counter({run.run: run.unknown for run in runs})
    proofs = Counter(key.run for key in proven)
    return [Group(run, found[run.run], proofs[run.run], _why_not(session, run)) for run in runs]


def _why_not(session: Session, run: DoubtedRun) -> Refusal | None:
    kept, campaign = records.get_run(session, run.run), records.get(session, run.campaign_id)
    return doubting.refusal(kept, campaign, now=utc_now(), within=None)


@doubts.post("/settle")
def settle() -> ResponseReturnValue:
    """Do what was asked and confirmed, run by run; what is not in doubt any more stays as it is."""
    chosen, decision = _chosen(), _decision()
    within, problem = _within()
    if problem:
        return _ask(chosen, decision, problem=problem)
    with read() as session:
        groups = _groups(session, chosen)
    decided = proven = left = 0
    for group in groups:
        try:
            with write() as session:
                done = doubting.resolve(
                    session,
                    group.run.run,
                    decision,
                    seqs=chosen.seqs(group.run.run),
                    until=chosen.all_until or utc_now(),
                    by=actor(),
                    now=utc_now(),
                    within=within,
                )
        except NotAllowed:
            left += group.count
        else:
            decided, proven = decided + done.decided, proven + done.proven
    _tell(decision, decided, proven, left)
    return redirect(chosen.scope.url)


def _tell(decision: Decision, decided: int, proven: int, left: int) -> None:
    if decided and decision is Decision.ARRIVED:
        words = ngettext(
            "One message counts as arrived.",
            "%(count)s messages count as arrived.",
            decided,
            count=number(decided),
        )
        flash(words, "success")
    elif decided:
        words = ngettext(
            "One message is sent again.", "%(count)s messages are sent again.", decided, count=number(decided)
        )
        flash(words, "success")
    if proven:
        words = ngettext(
            "One message was proven to have arrived, and counts so.",
            "%(count)s messages were proven to have arrived, and count so.",
            proven,
            count=number(proven),
        )
        flash(words, "info")
    if left:
        words = ngettext(
            "One message cannot be sent again now.",
            "%(count)s messages cannot be sent again now.",
            left,
            count=number(left),
        )
        flash(words, "warning")
    if not decided + proven + left:
        flash(_("None of these is in doubt any more; nothing was changed."), "info")


def _chosen() -> Chosen:
    form = request.form
    keys = {key for key in map(_key, form.getlist("m")) if key is not None}
    until = _moment(form.get("until", "")) if "all" in form else None
    return Chosen(Scope(number_from(form.get("campaign"))), tuple(sorted(keys)), until)


def _decision() -> Decision:
    return Decision.SEND_AGAIN if request.form.get("decision") == Decision.SEND_AGAIN else Decision.ARRIVED


def _key(text: str) -> MessageKey | None:
    run, seq = (number_from(part) for part in text.partition(".")[::2])
    return None if run is None or seq is None else MessageKey(run, seq)


def _moment(text: str) -> datetime | None:
    """When the page was made; never later than now, whatever the form says."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return min(at, utc_now()) if at.tzinfo is not None else None


def _within() -> tuple[timedelta | None, str]:
    typed = request.form.get("within", "").strip()
    if not typed:
        return None, ""
    hours = number_from(typed)
    if not hours or hours > MOST_HOURS:
        return None, gettext("Give a whole number of hours, from 1 to %(most)s.", most=MOST_HOURS)
    return timedelta(hours=hours), ""
