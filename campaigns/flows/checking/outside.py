"""What others say of a mail: sites behind its links, servers of its pictures, a spam filter; in our words.

Nobody is asked here: whoever is at the door asks, outside of any transaction, and brings the answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from campaigns.delivery.fetching.answers import OURS, Answer, Trouble
from campaigns.delivery.fetching.rounds import Wanted
from campaigns.delivery.spam import Score
from campaigns.flows.checking.findings import Finding, hint, warning
from campaigns.flows.checking.outward import Outward
from campaigns.templates.preflight.findings import Phrases, Size
from campaigns.templates.preflight.graphic import read_graphic
from campaigns.templates.preflight.pictures import HEAVY, HEAVY_ANIMATION, NOT_LIGHT

#: Why there is no answer, in words.
WHY: Mapping[Trouble, str] = {
    Trouble.NO_ADDRESS: "it is no address that can be followed",
    Trouble.INNER: "it leads to a machine of a private network",
    Trouble.NO_HOST: "there is no such host",
    Trouble.SHUT: "nobody answers there",
    Trouble.SLOW: "it takes too long",
    Trouble.TLS_NAME: "its certificate is for another name",
    Trouble.TLS: "its certificate is not to be trusted",
    Trouble.LOOP: "it leads in a circle",
    Trouble.FAR: "it leads on and on",
    Trouble.ODD: "no web site answers there",
}
#: Answers that programs get and people may not.
SHY = frozenset({401, 403, 405, 406, 418, 429, 451, 503, 999})
LOOK = "Follow it yourself, and correct it if it is wrong."


def judge_links(asked: Sequence[Outward], answers: Mapping[Wanted, Answer]) -> list[Finding]:
    """Tell what is wrong with links and pictures; a dead network is told once, and calmly."""
    answered = [(one, answers[one.wanted]) for one in asked if one.wanted in answers]
    ours = [answer for _, answer in answered if answer.trouble in OURS]
    found: list[Finding] = []
    if answered and len(ours) == len(answered):
        what = "The links could not be checked: this machine reaches no name server, or no web site."
        return [hint("what", what, "Check them again where there is a network.")]
    for one, answer in answered:
        judged = _picture(one, answer) if one.picture else _link(one, answer)
        found += [_placed(each, one) for each in judged]
    if ours:
        what = "%(count)s links could not be checked: the time was over, or no name server answered."
        found.append(hint("what", what, "Check again; the others are remembered.", count=len(ours)))
    return found


def judge_differing(many: int) -> list[Finding]:
    """Tell of the addresses that nobody asked for, since they are some reader's own."""
    if not many:
        return []
    what = "%(count)s links or pictures that differ from reader to reader were not followed."
    cure = "Such links may work once only. They were tried as for an invented reader; follow one yourself."
    return [hint("what", what, cure, count=many)]


def _placed(finding: Finding, one: Outward) -> Finding:
    return Finding(
        finding.level,
        finding.what,
        finding.cure,
        finding.values,
        " ".join(one.near.split())[:80],
        one.line,
        one.languages,
    )


def _link(one: Outward, answer: Answer) -> Iterator[Finding]:
    shown = one.url[:100]
    if answer.trouble in OURS:
        return
    if answer.trouble is not None:
        what = "The link %(link)s does not work: %(why)s."
        yield warning("what", what, LOOK, link=shown, why=Phrases((WHY[answer.trouble],)))
    elif answer.status in SHY:
        what = "The site behind the link %(link)s answers our question with %(status)s."
        cure = "Follow it yourself; sites that refuse programs may welcome people."
        yield hint("what", what, cure, link=shown, status=str(answer.status))
    elif not answer.is_alive:
        what = "The link %(link)s does not work: its server answers with %(status)s."
        yield warning("what", what, LOOK, link=shown, status=str(answer.status))
    else:
        yield from _redirected(shown, urlsplit(one.url), urlsplit(answer.final))


def _redirected(shown: str, begun: object, ended: object) -> Iterator[Finding]:
    first, last = str(getattr(begun, "hostname", "") or ""), str(getattr(ended, "hostname", "") or "")
    if getattr(begun, "scheme", "") == "https" and getattr(ended, "scheme", "") == "http":
        what = "The link %(link)s leads on to a page without encryption."
        yield warning("what", what, "Put in the address of the encrypted page.", link=shown)
    if first.removeprefix("www.") != last.removeprefix("www."):
        what = "The link %(link)s leads on to another host, %(host)s."
        yield hint(
            "what", what, "Make sure that it is meant; a direct link is quicker.", link=shown, host=last
        )


def _picture(one: Outward, answer: Answer) -> Iterator[Finding]:
    shown = one.url[-100:]
    if answer.trouble in OURS:
        return
    if answer.trouble is not None:
        what = "The picture %(picture)s does not show: %(why)s."
        yield warning("what", what, LOOK, picture=shown, why=Phrases((WHY[answer.trouble],)))
    elif not answer.is_alive:
        what = "The picture %(picture)s does not show: its server answers with %(status)s."
        yield warning("what", what, LOOK, picture=shown, status=str(answer.status))
    elif answer.kind and not answer.kind.startswith(("image/", "application/octet-stream")):
        what = "What stands at the picture %(picture)s is none (%(kind)s)."
        yield warning("what", what, LOOK, picture=shown, kind=answer.kind)
    else:
        yield from _weight(shown, answer)


def _weight(shown: str, answer: Answer) -> Iterator[Finding]:
    size, known = answer.size or 0, read_graphic(answer.begins)
    values: dict[str, object] = {"name": shown, "size": Size(size)}
    if known.moves and size > HEAVY_ANIMATION:
        cure = "Shorten it, or show fewer colours; Outlook for Windows shows its first frame only."
        yield warning("what", "The animation %(name)s has %(size)s.", cure, **values)
    elif size > HEAVY:
        what = "The picture %(name)s has %(size)s; on the road it may never show."
        yield warning("what", what, "Make it smaller: 1200 pixels across are enough.", **values)
    elif size > NOT_LIGHT:
        what = "The picture %(name)s has %(size)s; on the road it shows late."
        yield hint("what", what, "Make it smaller: 1200 pixels across are enough.", **values)
    if known.kind == "png" and known.clear:
        what = "The picture %(name)s can be seen through; dark parts of it vanish in dark mode."
        yield hint("what", what, "Give it a light ground or a light edge.", name=shown)


def judge_spam(score: Score | None) -> list[Finding]:
    """Tell what the spam filter thinks; how to have one, where there is none."""
    if score is None:
        cure = "Install rspamd here, or name a filter in POSTROOM_SPAM_URL; its score then stands here."
        return [hint("what", "No spam filter was asked.", cure)]
    values: dict[str, object] = {
        "filter": score.by,
        "points": round(score.points, 1) + 0.0,  # never -0.0
        "threshold": round(score.threshold, 1),
    }
    if score.is_spam:
        what = "%(filter)s takes the mail for spam: %(points)s points, refused from %(threshold)s on."
        return [warning("what", what, "Mend what has the most points below.", **values)]
    what = "%(filter)s does not take the mail for spam: %(points)s points, refused from %(threshold)s on."
    return [hint("what", what, "", **values)]
