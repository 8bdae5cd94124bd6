"""What runs for the life of the engine besides the committer."""

from typing import Final

from e2ecore.engine.account.consents import keep_consents
from e2ecore.engine.arrival.learning import learn_kinds
from e2ecore.engine.arrival.receipts import send_receipts
from e2ecore.engine.arrival.signalling import keep_signals
from e2ecore.engine.erasure.erasing import keep_erasing
from e2ecore.engine.family.guardians import keep_guardians
from e2ecore.engine.files.file_store import FILE_CHORES
from e2ecore.engine.own_devices.arriving import finish_arriving
from e2ecore.engine.own_devices.lapsing import keep_lapses
from e2ecore.engine.own_devices.moving import keep_moving
from e2ecore.engine.own_devices.removals import keep_removals
from e2ecore.engine.own_talk.siblings import compare_with_siblings, tell_siblings
from e2ecore.engine.running import chores
from e2ecore.engine.running.connection import keep_connected
from e2ecore.engine.running.damage import watch_damage
from e2ecore.engine.taking_along.giving import keep_giving
from e2ecore.engine.taking_along.taking import keep_taking
from e2ecore.engine.talk.polling import keep_polls
from e2ecore.engine.talk.searching import keep_index

CHORES: Final = (
    finish_arriving,
    keep_connected,
    send_receipts,
    chores.note_acceptances,
    chores.watch_held,
    chores.pause_sender,
    chores.supply_key_packages,
    chores.fetch_chains,
    chores.compare_chains,
    keep_consents,
    keep_removals,
    keep_lapses,
    keep_guardians,
    keep_moving,
    keep_index,
    keep_erasing,
    learn_kinds,
    *FILE_CHORES,
    watch_damage,
    keep_polls,
    keep_signals,
    tell_siblings,
    compare_with_siblings,
    keep_giving,
    keep_taking,
)
"""Each begins anew when it fails; see ``chores.keep_going``."""
