"""What can be wrong with an account chain. Wrong bytes are a MalformedError instead."""


class ChainError(ValueError):
    """An account chain breaks a rule. Its owner or the relay is at fault. Do not trust it."""


class ChainInvalidError(ChainError):
    """An entry breaks a rule of the chain; the text names it. The entry does not count."""


class ConsentMissingError(ChainInvalidError):
    """A second live device without a consent to multi-device sync in force.

    ``purpose`` is what the consent would have to be for.
    """

    def __init__(self, detail: str, purpose: str) -> None:
        super().__init__(detail)
        self.purpose = purpose


class ChainForkError(ChainError):
    """Two different entries claim one place in a chain: the account or the relay is lying.

    Stop trusting the account until its owner is asked in person.
    """

    def __init__(self, account_id: bytes, seq: int) -> None:
        super().__init__(f"account {account_id.hex()} has two different entries {seq}")
        self.account_id = account_id
        self.seq = seq


class UnknownCriticalEntryError(ChainError):
    """The chain holds an entry that must not be skipped and that this version does not know.

    Nothing after it can be judged. Update the program.
    """
