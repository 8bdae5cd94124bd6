"""Methods that wait, made of coroutine methods: for scripts without async."""

import inspect
from collections.abc import Callable, Coroutine, Iterable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from e2ecore.engine.engine import Engine

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
F = TypeVar("F")


class Waiter(Protocol):
    """Runs coroutines of an engine elsewhere, and waits for them."""

    engine: Engine

    def wait(self, work: Coroutine[object, object, T]) -> T:
        """Return what a coroutine returns."""


def of(
    method: Callable[Concatenate[S, P], Coroutine[object, object, T]],
) -> Callable[Concatenate[Waiter, S, P], T]:
    """Return a method of a class as a method of the engine that takes the object, and waits."""

    def call(engine: Waiter, one: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return engine.wait(method(one, *args, **kwargs))

    itself, *others = inspect.signature(method).parameters.values()
    owner = _owner(method.__qualname__)
    named = itself.replace(name=owner.replace("SentMessage", "sent").lower(), annotation=owner)
    return _like(call, method, [itself, named, *others])


def at(
    part: Callable[[Engine], S], method: Callable[Concatenate[S, P], Coroutine[object, object, T]]
) -> Callable[Concatenate[Waiter, P], T]:
    """Return a method of the engine or a part of it as one that waits."""

    def call(engine: Waiter, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return engine.wait(method(part(engine.engine), *args, **kwargs))

    return _like(call, method, inspect.signature(method).parameters.values())


def _like(call: F, method: Callable[P, object], parameters: Iterable[inspect.Parameter]) -> F:
    """Note what a call stands for, for readers and tests."""
    result = inspect.signature(method).return_annotation
    call.__doc__ = f"As ``{_owner(method.__qualname__)}.{method.__name__}``."
    call.__wrapped__ = method  # type: ignore[attr-defined] # as functools.wraps notes it
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # PEP 362
        list(parameters), return_annotation=result
    )
    return call


def _owner(qualified: str) -> str:
    """Return the public class of a method; some are parts of ``Conversation``."""
    name = qualified.partition(".")[0]
    return (
        "Conversation"
        if name in {"Talk", "Sharing", "Polling", "Pinned", "Arranged", "Kept"}
        else name
    )
