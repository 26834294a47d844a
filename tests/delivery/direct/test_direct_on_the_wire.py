"""What holds for a relay holds for a stranger's server: the same tests, by way of MX records."""

import pytest

from tests.delivery import peers, test_smtp_on_the_wire
from tests.delivery.direct.street import Street
from tests.delivery.test_smtp_on_the_wire import (  # noqa: F401 - run here
    test_a_354_to_a_body_is_a_doubt,
    test_a_421_to_a_body_defers_that_mail_and_the_rest_goes_elsewhere,
    test_a_connection_that_ends_in_an_envelope_costs_no_mail,
    test_a_cut_between_the_final_dot_and_its_reply_puts_exactly_that_mail_in_doubt,
    test_a_cut_within_the_body_puts_exactly_that_mail_in_doubt,
    test_a_garbled_reply_ends_the_session_and_doubts_only_the_body,
    test_a_mail_larger_than_the_server_takes_fails_here_with_the_reason,
    test_a_mail_that_breaks_every_connection_is_deferred_and_the_rest_goes_on,
    test_a_message_whose_start_cannot_be_noted_is_not_sent,
    test_a_refusal_at_any_stage_is_about_that_mail_alone,
    test_a_refused_recipient_fails_alone_and_no_empty_mail_goes_out,
    test_a_server_that_closes_after_a_few_mails_gets_them_all,
    test_a_server_that_falls_silent_is_left,
    test_a_server_that_knows_no_ehlo_is_greeted_the_old_way,
    test_a_stop_does_not_wait_for_a_slow_envelope,
    test_a_stop_waits_for_the_answer_to_a_body,
    test_a_success_that_is_no_354_gets_no_body,
    test_a_wide_local_part_goes_only_where_smtputf8_is_offered,
    test_after_the_stop_no_message_is_started_and_the_rest_is_released,
    test_an_address_that_would_break_the_dialogue_is_never_written,
    test_an_empty_batch_connects_to_nothing,
    test_an_error_of_the_batch_is_raised_after_all_started_are_answered,
    test_an_interrupt_tells_what_is_in_doubt,
    test_connections_that_died_between_batches_cost_nothing,
    test_each_mail_arrives_once_and_unchanged,
    test_fewer_connections_than_wished_for_carry_it_all,
    test_one_mail_needs_one_connection,
)


@pytest.fixture(autouse=True)
def by_mx(monkeypatch):
    """Give the tests a way that finds their server by its domain."""
    with Street() as street:
        street.host(1)
        for domain in ("people.example", "x.example"):
            street.domain(domain, (10, 1))

        def backend(peer, *, connections=3, per_connection=100, timeouts=peers.PATIENT):
            street.port = peer.port
            return street.backend(connections=connections, per_connection=per_connection, timeouts=timeouts)

        monkeypatch.setattr(peers, "backend", backend)
        monkeypatch.setattr(test_smtp_on_the_wire, "backend", backend)
        yield
