"""Hold a report against what the world really did: any difference is an error."""

from collections import Counter
from dataclasses import dataclass

from campaigns.records.reports import RunReport, summary_lines
from campaigns.surveys.form import QuestionType
from campaigns.surveys.scoring import nps
from campaigns.values import Gate
from demo.truth import Truth


@dataclass(frozen=True, slots=True)
class Difference:
    """A number of the report that is not what happened."""

    campaign: str
    name: str
    reported: object
    happened: object

    def __str__(self) -> str:
        return f"{self.campaign}: {self.name}: the report says {self.reported}, the world did {self.happened}"


def differences(
    report: RunReport, truth: Truth, *, refused: int, gates: Counter[str] | None
) -> list[Difference]:
    """Compare every number of a report that the world knows too."""
    said = dict(summary_lines(report))
    happened: dict[str, object] = {
        "sent": len(truth.received),
        "failed": refused,
        "in doubt": 0,
        "waiting": 0,
        "bounced": len(truth.bounced_hard | truth.bounced_soft),
        "delivered": len(truth.received) - len(truth.bounced_hard | truth.bounced_soft),
        "people who opened": len(truth.people_who_opened()),
        "opened by a mail proxy only": len(truth.opened_by_proxy_only()),
        "opened by a machine only": len(truth.opened_by_machine_only()),
        "opened, not known by whom": 0,
        "people who clicked": len(truth.clicked["human"]),
        "clicked by a machine only": len(truth.clicked["machine"] - truth.clicked["human"]),
        "clicked, not known by whom": 0,
        "unsubscribed": len(truth.left),
        "complained": len(truth.complained),
    }
    found = [
        Difference(report.campaign, name, said.get(name), real)
        for name, real in happened.items()
        if said.get(name) != real
    ]
    found += _compare(report, "hard bounces", report.bounced_hard, len(truth.bounced_hard))
    found += _compare(report, "viewed in a browser", report.viewed.human, len(truth.viewed))
    found += _of_links(report, truth)
    if gates is not None:
        found += _of_gates(report, gates)
    return found + _of_survey(report, truth)


def _of_links(report: RunReport, truth: Truth) -> list[Difference]:
    """A line of the report stands for one link in all its languages."""
    said = {line.numbers: line.clicked.human for line in report.links if line.clicked.human}
    line_of = {str(number): line.numbers for line in report.links for number in line.numbers}
    happened: Counter[tuple[int, ...] | None] = Counter()
    for number, clicks in truth.clicks_by_people.items():
        happened[line_of.get(number)] += clicks
    return _compare(report, "people's clicks by link", said, dict(happened))


def _of_gates(report: RunReport, gates: Counter[str]) -> list[Difference]:
    """Whom no gate stops is mailed or held out: the hold-out is drawn, so the two are compared together."""
    stopped = {one.gate.value: one.at_freeze + one.later for one in report.ledger.gates}
    reached = report.ledger.sent + report.ledger.failed + stopped.pop(Gate.HOLD_OUT.value, 0)
    said = {**stopped, "": reached}
    return [
        *_compare(report, "gates", dict(sorted(said.items())), dict(sorted(gates.items()))),
        *_compare(report, "audience", report.ledger.audience, gates.total()),
    ]


def _of_survey(report: RunReport, truth: Truth) -> list[Difference]:
    if report.survey is None:
        return []
    scores = sorted(truth.answered.values())
    asked = next(question for question in report.survey.questions if question.nps is not None)
    assert asked.nps is not None
    counted = {
        (one.key, choice.key): choice.share.count
        for one in report.survey.questions
        for choice in one.choices
        if one.nps is None and choice.share.count
    }
    wrote = sum(one.n for one in report.survey.questions if one.type is QuestionType.TEXT)
    chosen = dict(sorted(truth.chosen.items()))
    return [
        *_compare(report, "answers by choice", dict(sorted(counted.items())), chosen),
        *_compare(report, "answers in own words", wrote, truth.wrote),
        *_compare(report, "answered the survey", report.survey.posted, len(truth.answered)),
        *_compare(report, "net promoter score", asked.nps.score, nps(scores).score),
    ]


def _compare(report: RunReport, name: str, said: object, real: object) -> list[Difference]:
    return [] if said == real else [Difference(report.campaign, name, said, real)]
