"""Hooks: functions of the caller's that are called with each response, and may replace it.

There is one event, "response". requests passes over what is no hook in silence, and nobody ever hears of it;
here it is refused where it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

HOOKS: Final = ["response"]

Hook: TypeAlias = Callable[..., Any]
Hooks: TypeAlias = "dict[str, list[Hook]]"


def default_hooks() -> Hooks:
    """No hooks, for each event: `{"response": []}`."""
    return {"response": []}  # each request begins with it, so that HOOKS is not gone through each time


# What most requests and sessions have: to be compared with, and never changed.
_NO_HOOKS: Final = default_hooks()


def as_hooks(hooks: Mapping[str, Any] | None) -> Hooks:
    """What the caller gave as hooks, checked, and in lists of its own.

    Args:
        hooks: a function, several, or None, by the name of the event: `{"response": function}` or
            `{"response": [function, ...]}`. None for no hooks.

    Raises:
        ValueError: there is no event of that name.
        TypeError: hooks is no mapping, or a hook can't be called.
    """
    made = default_hooks()
    if not hooks:
        return made
    if not isinstance(hooks, Mapping):
        raise TypeError(f'hooks is {hooks!r}: give a mapping such as {{"response": function}}')
    for event, given in hooks.items():
        if event not in made:
            raise ValueError(f"there is no hook for {event!r}: the known events are {', '.join(HOOKS)}")
        made[event] = _as_list(event, given)
    return made


def _as_list(event: str, given: Any) -> list[Hook]:
    if given is None:
        return []
    if callable(given):
        return [given]
    registered = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for hook in registered:
        if not callable(hook):
            raise TypeError(
                f"the hook {hook!r} for {event!r} can't be called: give a function that takes the response, "
                f"or a list of them"
            )
    return registered


def merge_hooks(
    given: Mapping[str, Any] | None, session: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """The hooks of one request: the call's if it has any, else the session's; none is added to the other.

    Args:
        given: what the caller passed for this request, or None.
        session: the hooks of the session, or None.
    """
    if not given or given == _NO_HOOKS:
        return session
    # What is no mapping is of no use either way, and is told so by as_hooks().
    if not isinstance(given, Mapping) or any(given.values()):
        return given
    return session


def has_hooks(hooks: Mapping[str, Any] | None) -> bool:
    """Whether there may be hooks to register; a mapping of none is the usual case.

    Args:
        hooks: as the caller gave them.
    """
    return bool(hooks) and hooks != _NO_HOOKS


def dispatch_hook(key: str, hooks: Mapping[str, Any] | None, hook_data: Any, **kwargs: Any) -> Any:
    """Call the hooks of an event in order; what one returns, unless it is None, goes on to the next.

    Args:
        key: the event.
        hooks: a function or several by event, or None.
        hook_data: what the first hook is called with.
        **kwargs: what every hook is called with by name.

    Returns:
        What the last hook that returned anything returned, or else `hook_data`.
    """
    registered = hooks.get(key) if hooks else None
    if not registered:
        return hook_data
    for hook in (registered,) if callable(registered) else registered:
        returned = hook(hook_data, **kwargs)
        if returned is not None:
            hook_data = returned
    return hook_data
