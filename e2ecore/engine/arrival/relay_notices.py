"""What the relay has to tell this device alone: keys run out, something is deleted and proven."""

from e2ecore.engine.files.file_status import take_receipts
from e2ecore.engine.own_devices.removals import take_erasures
from e2ecore.engine.running.job import Job
from e2ecore_protocol.frames.notices import GuardianshipChanged, KeyPackagesLow, Notice
from e2ecore_protocol.frames.removals import DevicesErased


def take_notice(job: Job, notice: Notice) -> None:
    """Act on a notice.

    Raises:
        PeerError: What it proves is not signed as it must be.
    """
    if isinstance(notice, KeyPackagesLow):
        job.state.key_packages_left = notice.left
        job.effects.key_packages_low = True
    elif isinstance(notice, DevicesErased):
        take_erasures(job, job.state.server_name, notice)
    elif isinstance(notice, GuardianshipChanged):
        job.effects.guardianship = True
    else:
        take_receipts(job, job.state.server_name, notice.receipts)
