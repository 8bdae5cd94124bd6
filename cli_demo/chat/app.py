"""The chat application: one window upon one engine."""

from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

import e2ecore
from cli_demo.chat.desk import Desk
from cli_demo.chat.window import Window
from cli_demo.views import Symbols


class ChatApp(App[None]):
    """Shows the window, and above it whatever asks or explains something."""

    TITLE = "e2e chat"
    CSS_PATH = Path(__file__).with_name("chat.tcss")
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]

    def __init__(self, engine: e2ecore.Engine, symbols: Symbols, *, colours: bool) -> None:
        super().__init__(ansi_color=None if colours else True)
        self.window = Window(engine, Desk(engine), symbols)

    def get_default_screen(self) -> Window:
        """The window is always the lowest screen."""
        return self.window

    async def action_quit(self) -> None:
        """Ctrl+Q."""
        await self.window.leave()
