"""``python -m tests.fuzz [NAME ...] [--seconds N] [--seed TEXT] [--atheris]``."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.drive import Finding, by_atheris, by_mutations, load_targets
from tests.fuzz.target import Target


def main() -> int:
    """Run harnesses, all of them if none is named. A finding ends its own harness only."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="harness; all if none")
    parser.add_argument("--seconds", type=float, default=60, help="for each harness")
    parser.add_argument("--seed", default="", help="of the mutations")
    parser.add_argument("--atheris", action="store_true", help="by coverage; one harness only")
    options = parser.parse_args()
    targets = load_targets(guided=options.atheris)
    names: list[str] = options.names or list(targets)
    if unknown := [name for name in names if name not in targets]:
        parser.error(f"no such harness: {', '.join(unknown)}")
    if options.atheris:
        with tempfile.TemporaryDirectory() as folder:
            by_atheris(targets[names[0]], options.seconds, Path(folder))
    return sum(_run(name, targets[name], options.seconds, options.seed) for name in names)


def _run(name: str, target: Target, seconds: float, seed: str) -> int:
    try:
        tried, taken = by_mutations(target, seconds, seed)
    except Finding as finding:
        sys.stdout.write(f"{name}: FOUND {finding}\n")
        return 1
    sys.stdout.write(f"{name}: {tried} inputs, {taken} taken\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
