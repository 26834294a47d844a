"""Reports: what came of a run, and who is behind each number."""

from datetime import timedelta

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, get_locale, lazy_gettext
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import NotFound
from campaigns.records import campaigns as records
from campaigns.records import reports as counted
from campaigns.records.campaigns import Run
from campaigns.records.reports import PeopleList, RunReport
from web.charts import Chart, Series, line_chart
from web.language import share
from web.marketing.campaigns import times
from web.marketing.campaigns.words import GATES
from web.marketing.desk import desk
from web.marketing.export import people_csv
from web.numbers import number_from
from web.session import read

reports = desk("reports", "/reports")

PAGE = 50
EARLY = timedelta(days=1)  #: most clicks come within a day; before, nothing is compared
FRESH = timedelta(seconds=5)  #: numbers older than that say as of when they are
PEOPLE = {
    PeopleList.ANSWERED: lazy_gettext("Answered"),
    PeopleList.CLICKED: lazy_gettext("Clicked"),
    PeopleList.OPENED: lazy_gettext("Opened"),
    PeopleList.UNSUBSCRIBED: lazy_gettext("Unsubscribed"),
    PeopleList.COMPLAINED: lazy_gettext("Complained"),
    PeopleList.BOUNCED: lazy_gettext("Bounced"),
    PeopleList.FAILED: lazy_gettext("Refused"),
    PeopleList.DOUBT: lazy_gettext("In doubt"),
    PeopleList.SKIPPED: lazy_gettext("Not mailed"),
}
#: How somebody left, by the history's words.
LEFT = {
    "page": lazy_gettext("by the link in the mail"),
    "one-click post": lazy_gettext("by the button of the mail program"),
    "preferences page": lazy_gettext("on the preferences page"),
    "mail": lazy_gettext("by a mail to us"),
}


@reports.get("/")
def index() -> ResponseReturnValue:
    """List the runs, newest first."""
    before = number_from(request.args.get("before"))
    with read() as session:
        rows = counted.latest_runs(session, before=before, limit=PAGE + 1)
    return render_template("marketing/reports/index.html", rows=rows[:PAGE], more=len(rows) > PAGE)


@reports.get("/campaign/<int:campaign_id>")
def campaign(campaign_id: int) -> ResponseReturnValue:
    """Go to the report on a campaign's newest run."""
    with read() as session:
        runs = records.runs_of(session, campaign_id)
    if not runs:
        raise NotFound(f"Campaign {campaign_id} has no run.")
    return redirect(url_for("reports.show", run_id=runs[0].id))


@reports.get("/<int:run_id>")
def show(run_id: int) -> ResponseReturnValue:
    """Show the report on one run."""
    now = utc_now()
    with read() as session:
        report = counted.run_report(session, run_id, now)
        if report.run.kind != "campaign":
            raise NotFound(f"Run {run_id} is a test.")
        campaign = records.get(session, report.run.campaign_id)
        runs = records.runs_of(session, campaign.id)
        reasons = counted.reasons_of(session, run_id)
    return render_template(
        "marketing/reports/show.html",
        reasons=reasons,
        report=report,
        campaign=campaign,
        runs=runs,
        sentence=sentence(report),
        chart=chart(report),
        machines=sum(hour.machines for hour in report.hours),
        gate_words=GATES,
        lists=lists(report.run),
        counts=counts(report),
        as_of=report.at if now - report.at > FRESH else None,
        progress=times.progress(report.run, now, report.log),
        language=get_locale().language,
        log=report.log,
    )


@reports.get("/<int:run_id>/people/<which>")
def people(run_id: int, which: str) -> ResponseReturnValue:
    """List the people behind one number."""
    chosen = _list(which)
    after = number_from(request.args.get("after")) or 0
    with read() as session:
        report_run = records.get_run(session, run_id)
        campaign = records.get(session, report_run.campaign_id)
        rows = counted.people(session, run_id, chosen, after=after, limit=PAGE + 1)
    return render_template(
        "marketing/reports/people.html",
        run=report_run,
        campaign=campaign,
        which=chosen,
        lists=lists(report_run),
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        after=after,
        reasons=LEFT if chosen is PeopleList.UNSUBSCRIBED else {one.value: GATES[one] for one in GATES},
    )


@reports.get("/<int:run_id>/people/<which>.csv")
def export(run_id: int, which: str) -> ResponseReturnValue:
    """Give a list of people as a file; `?exact=1` leaves texts that a spreadsheet would run as they are."""
    chosen = _list(which)
    with read() as session:
        records.get_run(session, run_id)
    headers = {"Content-Disposition": f'attachment; filename="run-{run_id}-{chosen.value}.csv"'}
    exact = request.args.get("exact") == "1"
    return Response(people_csv(run_id, chosen, exact=exact), mimetype="text/csv", headers=headers)


def _list(which: str) -> PeopleList:
    try:
        return PeopleList(which)
    except ValueError:
        raise NotFound(f"There is no list {which!r}.") from None


def lists(run: Run) -> dict[PeopleList, LazyString]:
    """Which lists a run has, by name: that of who answered only if it invites to a survey."""
    asked = run.survey_version_id is not None
    return {which: words for which, words in PEOPLE.items() if asked or which is not PeopleList.ANSWERED}


def counts(report: RunReport) -> dict[PeopleList, int]:
    """How many people stand on each list."""
    ledger = report.ledger
    return {
        PeopleList.ANSWERED: report.survey.posted if report.survey else 0,
        PeopleList.CLICKED: report.clicked.human,
        PeopleList.OPENED: report.opened.human,
        PeopleList.UNSUBSCRIBED: report.unsubscribed,
        PeopleList.COMPLAINED: report.complained,
        PeopleList.BOUNCED: report.bounced,
        PeopleList.FAILED: ledger.failed,
        PeopleList.DOUBT: ledger.unknown,
        PeopleList.SKIPPED: ledger.skipped,
    }


def sentence(report: RunReport) -> str:
    """Say in one sentence how it went, against what went before."""
    clicked = report.click_rate
    if clicked.value is None:
        if report.ledger.waiting:
            return _("Nothing has been delivered yet; it is still going out.")
        return _("Nothing was delivered, so there is no click rate.")
    rate = share(clicked.value)
    if report.at - (report.run.frozen_at or report.run.opened_at) < EARLY:
        return _("Click rate %(rate)s so far; after a day it can be compared with others.", rate=rate)
    if report.average is None:
        return _("Click rate %(rate)s. There is no earlier campaign to compare with.", rate=rate)
    return _compared(rate, clicked.value, report.average.click_rate)


def _compared(rate: str, clicked: float, average: float) -> str:
    points = round(100 * clicked, 1) - round(100 * average, 1)
    if abs(points) < 0.05:
        return _("Click rate %(rate)s, the same as your average.", rate=rate)
    apart = share(abs(points) / 100).rstrip("% \u00a0\u202f")
    if points > 0:
        return _("Click rate %(rate)s, %(points)s points above your average.", rate=rate, points=apart)
    return _("Click rate %(rate)s, %(points)s points below your average.", rate=rate, points=apart)


def chart(report: RunReport) -> Chart:
    """Lay out the first 48 hours: people who opened and who clicked, by the hour, as far as it is known."""
    labels = [_("%(hours)s h", hours=hour) for hour in range(len(report.hours))]
    known = report.at - (report.run.frozen_at or report.run.opened_at)
    past = report.hours[: max(0, known // timedelta(hours=1)) + 1]
    series = [
        Series(_("People who opened"), tuple(hour.opened for hour in past)),
        Series(_("People who clicked"), tuple(hour.clicked for hour in past)),
    ]
    return line_chart(labels, series)
