"""How the domain says no."""

from e2ecore_protocol.errors import ErrorCode


class RefusedError(Exception):
    """The request breaks a rule. Nothing was changed; the client is told the code.

    Attributes:
        code: What the client is told.
        detail: For developers; never content, never a key.
        retry_after_ms: When the same request may succeed, or 0.
        data: What the code promises to tell, such as the current epoch.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        retry_after_ms: int = 0,
        data: int | bytes | str | None = None,
    ) -> None:
        """Name the rule."""
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        self.data = data


class BadSignatureError(Exception):
    """What the injected ``verify`` raises: a signature does not fit its key and message."""
