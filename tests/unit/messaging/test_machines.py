"""The tables of outgoing envelopes and intents: every pair is either a step or an error."""

from itertools import product

import pytest

from e2ecore.messaging import intents, sending
from e2ecore.messaging.sending import ImpossibleStepError, SendEvent, SendState, Verdict, verdict
from e2ecore_protocol.errors import ErrorCode


@pytest.mark.parametrize(("state", "event"), list(product(SendState, SendEvent)))
def test_an_envelope_takes_only_steps_of_the_table(state: SendState, event: SendEvent) -> None:
    if (state, event) in sending.TRANSITIONS:
        assert sending.step(state, event) is sending.TRANSITIONS[state, event]
    else:
        with pytest.raises(ImpossibleStepError):
            sending.step(state, event)


def test_accepted_and_failed_are_final() -> None:
    final = {SendState.ACCEPTED, SendState.FAILED}
    assert not any(state in final for state, _ in sending.TRANSITIONS)
    assert final <= set(sending.TRANSITIONS.values())


@pytest.mark.parametrize(
    ("state", "event"), list(product(intents.IntentState, intents.IntentEvent))
)
def test_an_intent_takes_only_steps_of_the_table(
    state: intents.IntentState, event: intents.IntentEvent
) -> None:
    if (state, event) in intents.TRANSITIONS:
        assert intents.step(state, event) is intents.TRANSITIONS[state, event]
    else:
        with pytest.raises(ImpossibleStepError):
            intents.step(state, event)


def test_applied_and_given_up_are_final_for_intents() -> None:
    final = {intents.IntentState.APPLIED, intents.IntentState.GIVEN_UP}
    assert not any(state in final for state, _ in intents.TRANSITIONS)
    assert final <= set(intents.TRANSITIONS.values())


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_refusal_is_judged(code: ErrorCode) -> None:
    assert verdict(code.value) is not Verdict.ACCEPTED


def test_stale_envelopes_are_encrypted_again_and_limits_waited_for() -> None:
    assert verdict("stale_epoch") is Verdict.ENCRYPT_AGAIN
    assert verdict("rate_limited") is Verdict.LATER
    assert verdict("not_a_member") is Verdict.FAILED


def test_pauses_grow_and_stay_below_their_ceiling() -> None:
    pauses = [intents.pause_ms(attempts, lambda size: b"\xff" * size) for attempts in range(30)]
    assert max(pauses) < intents.MAX_PAUSE_MS
    assert intents.pause_ms(3, bytes) == 0
