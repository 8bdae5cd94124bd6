"""Sets the stage, plays the acts, tells how it ended."""

import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import anyio

from cli_demo.demo import acts_meeting, acts_remarks, acts_talking, acts_trouble
from cli_demo.demo.narrator import Narrator, make_console
from cli_demo.demo.puppet import DeviceError, Puppet
from cli_demo.demo.relay import RelayError, RelayProcess
from cli_demo.demo.stage import NAMES, Stage
from cli_demo.demo.values import BadLineError
from cli_demo.exits import Exit, first_error

_ACTS: Final = (
    acts_meeting.register,
    acts_meeting.verify,
    acts_talking.one_to_one,
    acts_talking.in_group,
    acts_remarks.remarks,
    acts_talking.away,
    acts_trouble.killed,
    acts_trouble.removed,
    acts_trouble.searched,
)
_FAILURES: Final = (DeviceError, RelayError, BadLineError, OSError)


def play(*, keep: bool) -> Exit:
    """Tell the whole story.

    Args:
        keep: Leave the databases and logs behind, also when all went well.
    """
    console = make_console()
    narrator = Narrator(console)
    directory = Path(tempfile.mkdtemp(prefix="e2e-demo-"))
    narrator.opening(
        "e2ecore: three people, one relay that knows nothing",
        "Everything below happens now, on this machine, in separate processes, over TLS.",
    )
    good = interrupted = False
    try:
        anyio.run(_play, narrator, directory, backend="trio")
        good = narrator.all_hold
    except BaseException as raised:
        interrupted = isinstance(first_error(raised), KeyboardInterrupt)
        raise
    finally:
        if (good or interrupted) and not keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            console.print(f"Databases and logs are kept in {directory}", markup=False)
    return Exit.OK if good else Exit.FAILURE


async def _play(narrator: Narrator, directory: Path) -> None:
    try:
        async with AsyncExitStack() as stack:
            relay = await stack.enter_async_context(RelayProcess(directory))
            people = {name: Puppet(name, directory) for name in (*NAMES, "thief")}
            tasks = await stack.enter_async_context(anyio.create_task_group())
            for person in people.values():
                await stack.enter_async_context(person)
            stage = Stage(tasks, narrator, relay, directory, people)
            for act in _ACTS:
                await act(stage)
            for person in (stage.alice, stage.bob):
                await person.quit()
    except BaseException as raised:
        error = first_error(raised)
        if not isinstance(error, _FAILURES):
            raise
        narrator.check("the story came to its end", holds=False, detail=str(error))
    narrator.table()
    narrator.closing()
