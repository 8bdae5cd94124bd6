"""Numbers of children and their guardians that both sides of the wire must agree on."""

from typing import Final

from e2ecore_protocol.limits import DAY_S, KIB, SECOND_MS

GUARDIAN_LINK_ID_BYTES: Final = 16
"""Random, made by the ward; names one link for ever."""

MAX_GUARDIAN_DOCUMENT_BYTES: Final = 512
"""Largest document of guardian and ward. The longest one, an approval, has about 320 bytes."""

MAX_GUARDIAN_LINKS: Final = 16
"""Guardians that one marked account can have had, one after the other; ended links stay known."""

MAX_WARDS: Final = 16
"""Accounts that one guardian can look after at a time: a family, not a school."""

MAX_GUARDIAN_APPROVALS: Final = 64
"""Approvals that the relay keeps for one ward: every purpose, several times over."""

MAX_NOTICE_BYTES: Final = 16 * KIB
"""Longest text that a guardian is shown, in UTF-8: several pages."""

GUARDIAN_DOCUMENT_MS: Final = 7 * DAY_S * SECOND_MS
"""Age beyond which a link or an approval is taken no more, and an unused approval is forgotten."""

MAX_MINOR_MS: Final = 14 * 366 * DAY_S * SECOND_MS
"""The longest time for which an account can be marked: from birth to the fourteenth birthday."""
