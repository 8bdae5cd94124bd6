"""What all acts share: the processes, the conversations, and every text that anybody wrote."""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anyio.abc import TaskGroup

from cli_demo.demo.narrator import Narrator
from cli_demo.demo.puppet import Puppet
from cli_demo.demo.relay import RelayProcess
from cli_demo.demo.values import Values

NAMES: Final = ("alice", "bob", "carol")


@dataclass(slots=True)
class Stage:
    """The running story."""

    tasks: TaskGroup
    narrator: Narrator
    relay: RelayProcess
    directory: Path
    people: dict[str, Puppet]
    """By name; the thief last, who is nobody of their own."""
    passphrases: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(18) for name in NAMES}
    )
    direct: str = ""
    """Conversation of alice and bob, as hex."""
    group: str = ""
    """Conversation of all three, as hex."""
    written: list[str] = field(default_factory=list)
    """Every plaintext that was ever sent, for the search at the end."""

    @property
    def friends(self) -> list[Puppet]:
        """Alice, bob and carol."""
        return [self.people[name] for name in NAMES]

    @property
    def alice(self) -> Puppet:
        """Who starts things."""
        return self.people["alice"]

    @property
    def bob(self) -> Puppet:
        """Who gets killed, and lives."""
        return self.people["bob"]

    @property
    def carol(self) -> Puppet:
        """Who goes offline, and is removed."""
        return self.people["carol"]

    async def start(self, person: Puppet) -> Values:
        """Start a person's device process and open the database in it."""
        await person.start()
        self.tasks.start_soon(person.listen)
        address = self.relay.address
        return await person.ask(
            "open",
            db=str(person.db),
            passphrase=self.passphrases[person.name],
            relay=address.url,
            ca=str(address.ca),
        )

    @property
    def thief(self) -> Puppet:
        """Whoever has a copy of Carol's database and passphrase, from before she was removed."""
        return self.people["thief"]

    def copy_database(self, person: Puppet) -> None:
        """Give the thief a copy of a closed database, with all its keys."""
        for file in self.directory.glob(f"{person.db.name}*"):
            shutil.copy(file, self.directory / file.name.replace(person.name, self.thief.name, 1))
        self.passphrases[self.thief.name] = self.passphrases[person.name]

    async def send(self, person: Puppet, conversation: str, text: str) -> Values:
        """Send one text, and wait until the relay has it."""
        self.written.append(text)
        return await person.ask("send", conversation=conversation, text=text)

    async def texts(self, person: Puppet, conversation: str, author: str) -> list[str]:
        """What a person's database holds of one author, oldest first."""
        answer = await person.ask("read", conversation=conversation)
        pairs = zip(answer.texts("authors"), answer.texts("texts"), strict=True)
        return [text for who, text in pairs if who == author]


def is_message(conversation: str, text: str) -> Callable[[Values], bool]:
    """Recognises the event of one received text."""

    def wanted(event: Values) -> bool:
        return (
            event.fields.get("event") == "message"
            and event.fields.get("conversation") == conversation
            and event.fields.get("text") == text
        )

    return wanted


def is_event(name: str, conversation: str) -> Callable[[Values], bool]:
    """Recognises an event by its name and conversation."""

    def wanted(event: Values) -> bool:
        return (
            event.fields.get("event") == name and event.fields.get("conversation") == conversation
        )

    return wanted
