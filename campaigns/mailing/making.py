"""One mail of a run, made for one recipient."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from campaigns.delivery.compose import compose
from campaigns.mailing.basis import Basis
from campaigns.mailing.inviting import survey_names
from campaigns.mailing.press import Press
from campaigns.records.names import full_name, personal
from campaigns.records.outbox import Recipient
from campaigns.templates.render import Prepared
from campaigns.templates.uses import is_used, used_names
from campaigns.values import Content, Outgoing, Tracking

KEPT_LOCALES = 1000  #: how contacts write them is up to them


@dataclass(frozen=True, kw_only=True)
class Mailing(Basis):
    """A run's mail in its languages; `mail` makes one message of it."""

    editions: Mapping[str, Prepared]
    #: gives the same without pixel and numbered links; None: it has none
    untracked: "Callable[[], Mailing] | None" = field(default=None, repr=False, compare=False)
    _presses: dict[str | None, Press | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def uses(self, name: str) -> bool:
        """Whether any edition asks for a name, or for a part of it."""
        return is_used(name, self._used)

    @property
    def uses_orders(self) -> bool:
        """Whether any edition asks for what its recipient bought."""
        return self.uses("order") or self.uses("orders")

    @cached_property
    def _used(self) -> frozenset[str]:
        return frozenset[str]().union(*(used_names(each.compiled) for each in self.editions.values()))

    def content(self, recipient: Recipient, *, bought: list[dict[str, Any]], now: datetime) -> Content:
        """Render the recipient's own version.

        Raises:
            BadTemplate: naming what this contact lacks.
        """
        level = self.signing.level(recipient.contact)
        if level is Tracking.OFF and self.untracked is not None:
            return self.untracked().content(recipient, bought=bought, now=now)
        edition = self.edition_for(recipient.contact["locale"])
        links = self.signing.links(self.run, recipient.seq, recipient.contact_id, level)
        names = personal(recipient, self.shared, links=links, bought=bought, now=now)
        if self.form is not None:
            names["survey"] = survey_names(self.form, edition.compiled.language, links["survey"])
        for product in names["products"]:
            if (number := self.numbered.get(product["url"] or "")) is not None:
                product["url"] = f"{links['click']}/{number}"
        content = edition.render(names)
        return replace(content, files=self.files) if self.files else content

    def mail(self, recipient: Recipient, *, bought: list[dict[str, Any]], now: datetime) -> Outgoing:
        """Make the recipient's mail.

        Raises:
            BadInput: the template or a header does not hold for this contact.
        """
        level = self.signing.level(recipient.contact)
        if level is Tracking.OFF and self.untracked is not None:
            return self.untracked().mail(recipient, bought=bought, now=now)
        press = self.press_for(recipient.contact["locale"])
        made = None
        if press is not None:
            made = press.mail(recipient, bought=bought, now=now, shared=level is not Tracking.INDIVIDUAL)
        return made or self.plain(recipient, bought=bought, now=now)

    def plain(self, recipient: Recipient, *, bought: list[dict[str, Any]], now: datetime) -> Outgoing:
        """Make the recipient's mail as a whole: slower, right for everybody, and clear about what is wrong.

        Raises:
            BadInput: the template or a header does not hold for this contact.
        """
        content = self.content(recipient, bought=bought, now=now)
        whom = self.addressing(recipient.seq, recipient.contact_id, recipient.address)
        language = self.edition_for(recipient.contact["locale"]).compiled.language
        return compose(self.letter(whom, full_name(recipient.contact) or "", content, language, now))

    def press_for(self, locale: str | None) -> Press | None:
        """The press of the edition that fits a locale; None if this run's mails are only made whole."""
        if locale not in self._presses:
            if len(self._presses) >= KEPT_LOCALES:
                self._presses.clear()
            self._presses[locale] = Press.of(self, self.edition_for(locale))
        return self._presses[locale]

    def edition_for(self, locale: str | None) -> Prepared:
        """The edition that fits a locale best: de-AT, then de, then English, then the first there is."""
        wanted = (locale or "").replace("_", "-").lower()
        for language in (wanted, wanted.partition("-")[0], "en"):
            if language in self.editions:
                return self.editions[language]
        return next(iter(self.editions.values()))
