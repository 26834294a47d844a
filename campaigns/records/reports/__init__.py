"""What came of a run, in exact numbers: set-based, one query a table, nothing estimated.

Words, alike for every number here:

- *sent*: a backend took the message. *Delivered*: sent, and not returned since. *Bounced* counts sent
  messages that came back, for good or not; a "delayed" notice is no bounce.
- *Clicked*: followed a link, or the survey, by its page or by a score in the mail. *Left*: said no to a
  topic by a page that the mail leads to, and did not take it back from there.
- A contact counts once. Of several hits of one contact the most human decides: a person's, then an
  unknown one's, then a mail proxy's, then a machine's. So *who opened* is everyone with at least one open
  that is judged a person's, whatever else fetched the pixel.
- Contacts who are counted without a name are in no rate and no list: their hits stand apart, as hits.
- Rates are over delivered, the bounce rate over sent; each comes with Wilson's 95 % interval.
"""

from campaigns.records.reports.figures import Average, ByVerdict, RunReport, rate
from campaigns.records.reports.lists import ListNumbers, RunLine, campaign_list_numbers, latest_runs
from campaigns.records.reports.people import PeopleList, Person, people
from campaigns.records.reports.reasons import reasons_of
from campaigns.records.reports.run import run_report, summary_lines, written

__all__ = [
    "Average",
    "ByVerdict",
    "ListNumbers",
    "PeopleList",
    "Person",
    "RunLine",
    "RunReport",
    "campaign_list_numbers",
    "latest_runs",
    "people",
    "rate",
    "reasons_of",
    "run_report",
    "summary_lines",
    "written",
]
