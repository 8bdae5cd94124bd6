"""What runs for the life of the engine besides the committer."""

from typing import Final

from e2ecore.engine import chores
from e2ecore.engine.arriving import finish_arriving
from e2ecore.engine.connection import keep_connected
from e2ecore.engine.consents import keep_consents
from e2ecore.engine.damage import watch_damage
from e2ecore.engine.erasing import keep_erasing
from e2ecore.engine.file_store import FILE_CHORES
from e2ecore.engine.giving import keep_giving
from e2ecore.engine.guardians import keep_guardians
from e2ecore.engine.lapsing import keep_lapses
from e2ecore.engine.learning import learn_kinds
from e2ecore.engine.moving import keep_moving
from e2ecore.engine.polling import keep_polls
from e2ecore.engine.receipts import send_receipts
from e2ecore.engine.removals import keep_removals
from e2ecore.engine.searching import keep_index
from e2ecore.engine.siblings import compare_with_siblings, tell_siblings
from e2ecore.engine.signalling import keep_signals
from e2ecore.engine.taking import keep_taking

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
