"""One edition's mails out of prepared pieces: per recipient only what is personal is rendered and encoded.

What it makes parses to the same headers and parts as the plain way (Mailing.plain), which is taken instead
wherever this one does not hold, and always to say what is wrong.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from campaigns.delivery.quoted import NotSpliceable, QuotedPieces
from campaigns.delivery.stencil import Filling, Stencil
from campaigns.errors import BadInput
from campaigns.mailing.basis import Basis
from campaigns.mailing.inviting import survey_names
from campaigns.records.chosen_names import ChosenNames
from campaigns.records.names import full_name
from campaigns.records.outbox import Recipient
from campaigns.templates.folding import Fixed, Folded, folded
from campaigns.templates.pieces import FAILURES, constants, context_of, pieces
from campaigns.templates.render import LONGEST, LONGEST_SUBJECT, Prepared, require_web_addresses
from campaigns.templates.sandbox import require_plain
from campaigns.templates.shortcuts import VETTED, is_clear
from campaigns.templates.uses import used_names
from campaigns.tracking.tokens import TOKEN_LENGTH, Purpose, packed
from campaigns.values import Content, MessageKey, Outgoing, TopicClass

_AT_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Press:
    """Makes the mails of one edition of one basis."""

    @classmethod
    def of(cls, basis: Basis, edition: Prepared) -> "Press | None":
        """Prepare an edition; None if something in it holds for nobody, which the plain way will say."""
        try:
            return cls(basis, edition)
        except (BadInput, *FAILURES):
            return None

    def __init__(self, basis: Basis, edition: Prepared) -> None:
        compiled = edition.compiled
        self._basis, self._edition = basis, edition
        self._offers = list(basis.shared.offers)
        self._numbers = [basis.numbered.get(offer["url"] or "") for offer in self._offers]
        fixed = ChosenNames(basis.shared, used_names(compiled)).fixed
        self._check_what_is_fixed(fixed)
        subject, text, html = self._folded(fixed)
        self._subject, self._text = subject.template, text.template
        self._html = html and html.template
        used = frozenset[str]().union(*(each.used for each in (subject, text, html) if each))
        self._chosen = ChosenNames(basis.shared, used)
        tops = {path.partition(".")[0] for path in used}
        self._offered = "products" in tops
        self._survey = basis.form if "survey" in tops else None
        numbers = {_link_to(number): number for number in self._numbers if number is not None}
        self._is_numbered = self._offered and bool(numbers)
        self._numbered = [(link, number) for link, number in numbers.items() if f"links.{link}" in used]
        keyring = basis.signing.keyring
        self._links = basis.signing.writers(lambda name: self._is_linked(name, used))
        names = {name for name, _, _ in self._links}
        shared = basis.signing.shared(basis.run)
        self._shared = {name: address for name, address in shared.items() if name in names}
        self._are_links_clear = is_clear(basis.signing.public_url)  # tokens are letters and digits
        self._return = keyring.pen(Purpose.RETURN)
        self._unsubscribe = keyring.pen(Purpose.UNSUBSCRIBE)
        self._is_leavable = basis.topic.topic_class is not TopicClass.TRANSACTIONAL
        templates = [each for each in (self._text, self._html) if each]
        self._encoded = QuotedPieces(text for each in templates for text in constants(each))
        nobody = basis.addressing(0, 0, "nobody@example.com")
        letter = basis.letter(
            nobody, "", Content("", compiled.html, "", basis.files), compiled.language, _AT_NO_TIME
        )
        self._stencil = Stencil(letter, nobody.unsubscribe)
        self._longest = LONGEST + self._stencil.size

    def _check_what_is_fixed(self, fixed: Mapping[str, Any]) -> None:
        """What is alike for all is looked at once."""
        offers = self._products({"click": f"{self._basis.signing.public_url}/c/x"})
        require_plain({**fixed, "products": offers})
        require_web_addresses({"products": offers})

    def _folded(self, fixed: Mapping[str, Any]) -> tuple[Folded, Folded, Folded | None]:
        """Subject, text and HTML, with all in them written out that is the same in every mail."""
        compiled = self._edition.compiled
        links = [None if number is None else _link_to(number) for number in self._numbers]
        known = Fixed({**fixed, "products": self._offers}, links if any(links) else ())
        fold = partial(folded, language=compiled.language, fixed=known)
        html = None if compiled.html is None else fold(compiled.html, html=True)
        return fold(compiled.subject, html=False), fold(compiled.text, html=False), html

    def _is_linked(self, name: str, used: frozenset[str]) -> bool:
        return (
            "links" in used
            or f"links.{name}" in used
            or (name == "survey" and self._survey is not None)
            or (name == "click" and (self._is_numbered or bool(self._numbered)))
        )

    def mail(
        self, recipient: Recipient, *, bought: list[dict[str, Any]], now: datetime, shared: bool = False
    ) -> Outgoing | None:
        """Make the recipient's mail; None if it must be made the plain way, perhaps to say why it cannot.

        `shared`: pixel and links are those of nobody in particular.
        """
        ids = packed(self._basis.run, recipient.seq, recipient.contact_id)
        try:
            return self._mail(recipient, ids, bought, now, shared=shared)
        except (BadInput, NotSpliceable, *FAILURES):
            return None

    def _mail(
        self, recipient: Recipient, ids: bytes, bought: list[dict[str, Any]], now: datetime, *, shared: bool
    ) -> Outgoing | None:
        names = self._names(recipient, ids, bought, now, shared=shared)
        plain = context_of(self._text, names)
        subject = " ".join("".join(pieces(self._subject, plain)).split())
        text = self._encoded.encode(pieces(self._text, plain))
        html: list[bytes] = []
        if self._html is not None:
            html = self._encoded.encode(pieces(self._html, context_of(self._html, names)))
        made = self._stencil.fill(
            Filling(
                MessageKey(self._basis.run, recipient.seq),
                full_name(recipient.contact) or "",
                recipient.address,
                subject,
                now,
                self._return(ids),
                self._leaving(names["links"], ids),
                text,
                html,
            )
        )
        fits = made is not None and len(made.data) <= self._longest and len(subject) <= LONGEST_SUBJECT
        return made if fits else None

    def _leaving(self, links: Mapping[str, str], ids: bytes) -> str:
        """The token of the leaving page, which may be signed already."""
        if not self._is_leavable:
            return ""
        return links["unsubscribe"][-TOKEN_LENGTH:] if "unsubscribe" in links else self._unsubscribe(ids)

    def _names(
        self, recipient: Recipient, ids: bytes, bought: list[dict[str, Any]], now: datetime, *, shared: bool
    ) -> dict[str, Any]:
        """The names that this edition uses; what is the same for all was looked at when it was prepared."""
        names = self._chosen.of(recipient, bought, now)
        require_plain(names)
        names |= self._chosen.fixed
        links = {name: f"{before}{write(ids)}" for name, before, write in self._links}
        if shared:
            links |= self._shared
        for name, number in self._numbered:
            links[name] = f"{links['click']}/{number}"
        if self._are_links_clear:
            VETTED.remember(*links.values())
        names["links"] = links
        if self._offered:
            names["products"] = self._products(links) if self._is_numbered else self._offers
        if self._survey is not None:
            names["survey"] = survey_names(self._survey, self._edition.compiled.language, links["survey"])
        return names

    def _products(self, links: Mapping[str, str]) -> list[dict[str, Any]]:
        """The offered products, each with its numbered link; no template can change what all share."""
        return [
            offer if number is None else {**offer, "url": f"{links['click']}/{number}"}
            for offer, number in zip(self._offers, self._numbers, strict=True)
        ]


def _link_to(number: int) -> str:
    """What a mail's own link to an offer is called among its links."""
    return f"click/{number}"
