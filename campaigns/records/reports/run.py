"""The report on one run."""

from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.records import campaigns
from campaigns.records.reports import survey
from campaigns.records.reports.apart import apart_of
from campaigns.records.reports.average import average_before
from campaigns.records.reports.counts import counts_of
from campaigns.records.reports.figures import RunReport, rate
from campaigns.records.reports.hits import links_of
from campaigns.surveys.scoring import Share
from campaigns.values import EventKind


def run_report(session: Session, run_id: int, now: datetime) -> RunReport:
    """Everything of one run, as of now; of a large one as of its last count, a minute or ten ago.

    Raises:
        NotFound: there is no such run.
    """
    run = campaigns.get_run(session, run_id)
    kept = counts_of(session, run, now)
    counts = kept.counts
    ledger, hits, bounced = counts.ledger, counts.hits, counts.bounced
    delivered = ledger.sent - bounced
    apart = apart_of(session, run_id)
    answers = survey.summary(session, run, counts.scores)
    opened, clicked = hits[EventKind.OPENED], hits[EventKind.CLICKED]
    complained = hits[EventKind.COMPLAINED].total
    return RunReport(
        run=run,
        campaign=campaigns.get(session, run.campaign_id).name,
        ledger=ledger,
        bounced=bounced,
        bounced_hard=counts.bounced_hard,
        blocked=counts.blocked,
        delivered=delivered,
        opened=opened,
        clicked=clicked,
        viewed=hits[EventKind.VIEWED],
        complained=complained,
        unsubscribed=counts.left,
        replied=hits[EventKind.REPLIED].total,
        open_rate=rate(opened.human, delivered),
        click_rate=rate(clicked.human, delivered),
        bounce_rate=rate(bounced, ledger.sent),
        complaint_rate=rate(complained, delivered),
        unsubscribe_rate=rate(counts.left, delivered),
        answer_rate=None if answers is None else rate(answers.posted, delivered),
        average=average_before(session, run),
        hours=counts.hours,
        links=links_of(session, run, counts.links, apart.links, clicked.human),
        apart=apart,
        domains=counts.domains,
        survey=answers,
        log=tuple(campaigns.log_lines(session, run.campaign_id)),
        at=kept.at,
    )


def summary_lines(report: RunReport) -> list[tuple[str, int | str]]:
    """The numbers of a report by name, as the shell prints them and a check compares them."""
    ledger = report.ledger
    return [
        ("audience", ledger.audience),
        *((f"not mailed: {one.gate}", one.at_freeze + one.later) for one in ledger.gates),
        ("sent", ledger.sent),
        ("failed", ledger.failed),
        ("in doubt", ledger.unknown),
        ("waiting", ledger.waiting),
        ("bounced", report.bounced),
        ("blocked, no fault of the contacts", report.blocked),
        ("delivered", report.delivered),
        ("people who opened", report.opened.human),
        ("opened by a mail proxy only", report.opened.privacy),
        ("opened by a machine only", report.opened.machine),
        ("opened, not known by whom", report.opened.unknown),
        ("people who clicked", report.clicked.human),
        ("clicked by a machine only", report.clicked.machine + report.clicked.privacy),
        ("opens counted without a name", report.apart.opened.others),
        ("clicks counted without a name", report.apart.clicked.others),
        ("clicked, not known by whom", report.clicked.unknown),
        ("unsubscribed", report.unsubscribed),
        ("complained", report.complained),
        ("answered the survey", report.survey.posted if report.survey else "no survey"),
        ("click rate", written(report.click_rate)),
    ]


def written(part: Share) -> str:
    """Write a share in plain English with what it is of and its interval: "2.1 % (1.6 to 2.7 %) of 3,100"."""
    if part.value is None:
        return "none delivered"
    return f"{part.value:.1%} ({part.low:.1%} to {part.high:.1%}) of {part.n:,}"
