"""What a report is compared with: the runs before it."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.mail import campaigns, links, runs
from campaigns.records.campaigns import Run
from campaigns.records.reports.counts import clicked_and_returned
from campaigns.records.reports.figures import Average

COMPARED = 20  #: earlier runs that make the average


def average_before(session: Session, run: Run) -> Average | None:
    """The click rate of the last runs of other campaigns that started earlier."""
    earlier = (
        sa.select(runs.c.id, runs.c.sent)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .where(
            runs.c.kind == "campaign",
            runs.c.campaign_id != run.campaign_id,
            runs.c.opened_at < run.opened_at,
            runs.c.finished_at.is_not(None),
            runs.c.sent > 0,
            sa.or_(  # without links nobody can click
                runs.c.survey_version_id.is_not(None), sa.exists().where(links.c.run_id == runs.c.id)
            ),
            campaigns.c.deleted_at.is_(None),
        )
        .order_by(runs.c.opened_at.desc())
        .limit(COMPARED)
    )
    sent = {row.id: row.sent for row in session.execute(earlier)}
    counted = clicked_and_returned(session, list(sent))
    rates = []
    for number, mailed in sent.items():
        clickers, returned = counted.get(number, (0, 0))
        if mailed > returned:
            rates.append(min(1.0, clickers / (mailed - returned)))
    return Average(len(rates), sum(rates) / len(rates)) if rates else None
