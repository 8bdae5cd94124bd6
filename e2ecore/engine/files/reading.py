"""The first copy of files, while it is made: it can be stopped, gone on with, and given up."""

import threading

from e2ecore.engine.files.file_errors import UploadCancelledError


class Reading:
    """A handle upon ``Conversation.send_files`` until that returns an ``Upload``.

    Copying a large file takes minutes, and its user may want the disk for something else.
    """

    def __init__(self) -> None:
        self._go = threading.Event()
        self._go.set()
        self._is_cancelled = False

    @property
    def is_paused(self) -> bool:
        """Does it wait for ``resume``?"""
        return not self._go.is_set()

    def pause(self) -> None:
        """Read nothing more for now. The upload that follows is not paused by it."""
        if not self._is_cancelled:
            self._go.clear()

    def resume(self) -> None:
        """Go on where it stopped."""
        self._go.set()

    def cancel(self) -> None:
        """Give it up: ``send_files`` raises ``UploadCancelledError``, and nothing is left."""
        self._is_cancelled = True
        self._go.set()

    def step(self) -> None:
        """Wait while it is paused. For the engine, in the thread that reads.

        Raises:
            UploadCancelledError: It was given up.
        """
        self._go.wait()
        if self._is_cancelled:
            raise UploadCancelledError
