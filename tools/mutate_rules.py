"""Turns off one check of MLS at a time and runs the tests that break its rule: they must fail.

``python -m tools.mutate_rules`` runs the tests of ``tests/hostile_mls`` twice: as they are, to see
which statement refuses what they forge, then with that one statement left out. It must hold that

- no test passes without its check, and
- where another check refuses the same forgery, ``also`` in ``docs/specs/mls-rules.toml`` says so.

Checks are left out in this process only; no file is changed. Where the refusal is the failed
opening of a ciphertext there is no statement to leave out: without it there would be no plaintext.
"""

import ast
import signal
import sys
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from e2ecore.errors import UsageError
from tests.support.mls_rules import OBSERVED, OtherRefusalError
from tools.compliance import ROOT
from tools.mls_rules import Rule, refusal, rules

CHECKED: Final = "e2ecore.mls."
"""Modules whose statements are left out."""
TESTS: Final = ROOT / "tests/hostile_mls"
CPU_SECONDS: Final = 3
"""What a test may use without its check: some checks bound the work."""


class Site(NamedTuple):
    """A statement that refused something."""

    module: str
    function: str
    line: int


class _TooLongError(BaseException):
    """Without the check the test does not end."""


class _LeaveOut(ast.NodeTransformer):
    """Replaces the statement at a line, if it can be missing."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.done = False

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        return self._instead(node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return self._instead(node) if isinstance(node.value, ast.Call) else node

    def _instead(self, node: ast.stmt) -> ast.stmt:
        if not node.lineno <= self.line <= (node.end_lineno or node.lineno):
            return node
        self.done = True
        return ast.copy_location(ast.Pass(), node)


def site_of(error: BaseException) -> Site | None:
    """Return the innermost statement of the checked modules that an error went through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(CHECKED):
            found = Site(module, trace.tb_frame.f_code.co_qualname, trace.tb_lineno)
        trace = trace.tb_next
    return found


@contextmanager
def left_out(site: Site) -> Iterator[bool]:
    """Run without one statement. Yields False where it cannot be missing."""
    module = sys.modules[site.module]
    path = Path(str(module.__file__))
    leave_out = _LeaveOut(site.line)
    tree = ast.fix_missing_locations(leave_out.visit(ast.parse(path.read_text())))
    if not leave_out.done:
        yield False
        return
    function = _function(module, site.function)
    before = function.__code__
    function.__code__ = _code(compile(tree, path, "exec"), site.function)
    try:
        yield True
    finally:
        function.__code__ = before


def _function(module: types.ModuleType, name: str) -> types.FunctionType:
    found: object = module
    for part in name.split("."):
        found = vars(found)[part]
        if isinstance(found, classmethod | staticmethod):
            found = found.__func__
        elif isinstance(found, property):
            found = found.fget
    found = getattr(found, "__wrapped__", found)
    if not isinstance(found, types.FunctionType):
        raise TypeError(name)
    return found


def _code(whole: types.CodeType, name: str) -> types.CodeType:
    waiting = [whole]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == name:
            return code
        waiting += [const for const in code.co_consts if isinstance(const, types.CodeType)]
    raise LookupError(name)


class Mutations:
    """A plug-in of pytest that repeats each test without its checks.

    Attributes:
        survived: Tests that pass without a check.
        also: By rule, what refuses the same forgeries when its own check is left out.
        seen: Rules whose check was left out.
    """

    def __init__(self) -> None:
        self.survived: list[str] = []
        self.also: defaultdict[str, set[str]] = defaultdict(set)
        self.seen: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Iterator[None]:
        """Run the test, then once more without each statement that refused something."""
        yield
        observed = {rule: list(errors) for rule, errors in OBSERVED.items()}
        for rule, errors in observed.items():
            for site in sorted({site for error in errors if (site := site_of(error))}):
                self._repeat(item, rule, site)
        OBSERVED.update(observed)

    def _repeat(self, item: pytest.Function, rule: str, site: Site) -> None:
        with left_out(site) as possible:
            if not possible:
                return
            self.seen.add(rule)
            try:
                with _limited():
                    item.runtest()
            except OtherRefusalError as other:
                if type(other.error) is not UsageError:  # a crash in our own words is no check
                    self.also[rule].add(refusal(type(other.error).__name__, str(other.error)))
            except (_TooLongError, Exception, pytest.fail.Exception):  # noqa: BLE001 - it failed
                return
            else:
                self.survived.append(f"{item.nodeid} passes without {site}")


@contextmanager
def _limited() -> Iterator[None]:
    """Bound the CPU time: a frozen machine is no finding."""

    def ring(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def differences(found: Mutations, known: list[Rule]) -> Iterator[str]:
    """Say what is not as ``docs/specs/mls-rules.toml`` has it, for the rules that were seen."""
    for rule in known:
        if rule.id in found.seen and set(rule.also) != found.also[rule.id]:
            yield f"{rule.id}: also = {sorted(found.also[rule.id])}"


def main(arguments: list[str]) -> int:
    """Run, print what is wrong; return 0 if nothing is.

    Args:
        arguments: For pytest; all hostile tests if none.
    """
    found = Mutations()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    failed = pytest.main([*options, *(arguments or [str(TESTS)])], plugins=[found])
    wrong = [*found.survived, *differences(found, rules())]
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.stdout.write(f"{len(found.seen)} rules without their checks: {len(wrong)} findings\n")
    return 1 if failed or wrong or not found.seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
