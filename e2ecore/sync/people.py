"""What counts of what the devices of an account say of somebody.

Spec: protocol/spec/75-own-devices.md, [OPL-25]
"""

from collections.abc import Sequence
from dataclasses import replace

from e2ecore.sync.merging import written_last
from e2ecore_protocol.content.op_bodies import Person
from e2ecore_protocol.content.ops import Op


def person(ops: Sequence[Op], now_ms: int) -> Person | None:
    """Return what counts of the ops about one person; None: there are none.

    Whoever only noted a contact, not knowing of a name that another device gave, takes none away.

    Args:
        ops: What is kept.
        now_ms: The relay's clock as far as it is known, else this device's.
    """
    last = _said(ops, now_ms)
    named = _said([op for op in ops if _name(op)], now_ms)
    return last if last is None or named is None else replace(last, name=named.name)


def _said(ops: Sequence[Op], now_ms: int) -> Person | None:
    op = written_last(ops, now_ms)
    body = None if op is None else op.body()
    return body if isinstance(body, Person) else None


def _name(op: Op) -> str:
    body = op.body()
    return body.name if isinstance(body, Person) else ""
