"""What else the DNS can say for a sender: none of it is a must, all of it makes mail more welcome."""

from collections.abc import Iterator
from functools import partial

import dns.resolver

from campaigns.delivery.dkim_keys import zone_line
from campaigns.delivery.dmarc import look_up
from campaigns.delivery.domains import addresses, host_names, mail_servers, tagged, tags
from campaigns.doctor.findings import Finding, ok, told, warn
from campaigns.doctor.senders import SHOWN, Check, Identity, guarded_by

LOGO = "https://"


def more_checks_of(identity: Identity) -> list[Check]:
    """What helps a sender beyond the must."""
    own, bounce, host = identity.own, identity.bounce, identity.host
    checks = [guarded_by(f"{own}: MX", partial(_answers, own))] if own != bounce else []
    if host:
        checks.append(guarded_by(f"{host}: PTR", partial(_pointers, host)))
    if identity.ways.returned:
        checks.append(guarded_by(f"{bounce}: MTA-STS", partial(_mta_sts, bounce)))
        checks.append(guarded_by(f"{bounce}: TLS-RPT", partial(_tls_reports, bounce)))
    return [*checks, guarded_by(f"{own}: BIMI", partial(_logo, own))]


def _answers(domain: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    servers = mail_servers(domain, resolver)
    if servers:
        yield ok(check, ", ".join(servers[:4]))
    else:
        cure = told(
            "Let %(domain)s take mail: some receivers refuse senders who cannot be answered.", domain=domain
        )
        yield warn(check, told("no server takes mail: nobody can answer"), cure)


def _pointers(host: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    """Whether each address of the sending host has a name that leads back to it.

    Source: RFC 1912 §2.1; large providers refuse mail from addresses without.
    """
    found = addresses(host, resolver)
    if not found:
        yield warn(
            check, told("the host has no address"), told("Name the server that delivers to others: --host.")
        )
    for address in found:
        names = host_names(address, resolver)
        if any(address in addresses(name, resolver) for name in names[:4]):
            yield ok(check, told("%(address)s is %(name)s, and back", address=address, name=names[0]))
        else:
            cure = told("Let the owner of %(address)s name it %(host)s (PTR).", address=address, host=host)
            said = told("%(address)s has no name that leads back to it", address=address)
            yield warn(check, said, cure)


def _mta_sts(domain: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    """Whether mail to the bounce domain must be encrypted.

    Source: RFC 8461 §3.1; the policy itself is a file on the web, which is not fetched.
    """
    records = tagged(f"_mta-sts.{domain}", "STSv1", resolver)
    if len(records) == 1 and tags(records[0]).get("id"):
        yield ok(check, records[0][:SHOWN])
    elif records:
        cure = told("Leave one, with an id=.")
        yield warn(check, told("receivers cannot read it: %(record)s", record=records[0][:SHOWN]), cure)
    else:
        yield ok(check, told("none; it can be done without"))


def _tls_reports(domain: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    """Whether others are asked to report failed encryption (RFC 8460)."""
    records = tagged(f"_smtp._tls.{domain}", "TLSRPTv1", resolver)
    if len(records) == 1 and tags(records[0]).get("rua"):
        yield ok(check, records[0][:SHOWN])
    elif records:
        yield warn(
            check,
            told("receivers cannot read it: %(record)s", record=records[0][:SHOWN]),
            told("Leave one, with a rua=."),
        )
    else:
        yield ok(check, told("none; it can be done without"))


def _logo(domain: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    """Whether mailboxes that show logos may show one: only beside a DMARC policy that is enforced."""
    standing = look_up(domain, resolver)
    records = tagged(f"default._bimi.{domain}", "BIMI1", resolver)
    if not records and standing.organisation != domain:
        records = tagged(f"default._bimi.{standing.organisation}", "BIMI1", resolver)
    if not records:
        yield ok(check, told("none; it can be done without"))
        return
    place = tags(records[0]).get("l", "")
    enforced = standing.policy is not None and standing.policy.asks(domain) != "none"
    if not enforced:
        line = zone_line(f"_dmarc.{standing.organisation}", "v=DMARC1; p=quarantine")
        yield warn(
            check,
            told("no mailbox shows the logo while DMARC asks for nothing"),
            told("Tighten DMARC first."),
            line,
        )
    elif not (place.startswith(LOGO) and place.lower().endswith((".svg", ".svgz"))):
        yield warn(
            check,
            told("the logo is not an SVG behind https: %(place)s", place=place[:SHOWN]),
            told("Correct l=."),
        )
    elif not tags(records[0]).get("a"):
        cure = told("Gmail and Apple want a certificate (a=); Yahoo does without.")
        yield warn(check, records[0][:SHOWN], cure)
    else:
        yield ok(check, records[0][:SHOWN])
