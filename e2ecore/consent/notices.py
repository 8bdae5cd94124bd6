"""The texts that people are shown before they agree. What they saw is known by its hash."""

from dataclasses import dataclass
from importlib import resources
from typing import Final

from e2ecore.errors import UsageError
from e2ecore_protocol.chain.record import hash_of_notice

NOTICE_VERSION: Final = 1
"""Version of the texts that come with this package. It grows when the meaning of one changes."""
LANGUAGES: Final = ("en", "zh-CN")
"""Languages of these texts."""


class NoNoticeError(UsageError):
    """This package has no notice for that purpose in that language.

    Make a ``ConsentNotice`` with a text of your own, and show that.
    """


@dataclass(frozen=True, slots=True)
class ConsentNotice:
    """A text to show to a person before they agree to something."""

    purpose: str
    version: int
    """Grows when the meaning changes; then people are asked again."""
    language: str
    """Language tag (BCP 47)."""
    text: str

    @property
    def hash(self) -> bytes:
        """32 bytes by which the text is known for ever."""
        return hash_of_notice(self.text)


def shipped_notice(purpose: str, language: str = "en") -> ConsentNotice:
    """Return a text that comes with this package.

    Args:
        purpose: A ``Purpose``.
        language: A language tag; ``zh`` and ``zh-Hans-CN`` find ``zh-CN``.

    Raises:
        NoNoticeError: There is none.
    """
    found = next((one for one in LANGUAGES if _matches(one, language)), None)
    file = resources.files(__package__) / "notices" / f"{purpose}.{found}.txt"
    if found is None or not purpose.replace("_", "").isalpha() or not file.is_file():
        raise NoNoticeError
    return ConsentNotice(str(purpose), NOTICE_VERSION, found, file.read_text("utf-8"))


def _matches(known: str, wanted: str) -> bool:
    return wanted.replace("_", "-").split("-")[0].lower() == known.split("-")[0].lower()
