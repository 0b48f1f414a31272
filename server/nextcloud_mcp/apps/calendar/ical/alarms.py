"""The reminders of an event: VALARM (RFC 5545 section 3.6.6)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from icalendar import Alarm, Component, vCalAddress, vDDDTypes
from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.ical.properties import text
from nextcloud_mcp.errors import InvalidArgumentError

_DEFAULT_REMINDER: Final = 15
_NO_REMINDER: Final = -1
_EARLIEST_REMINDER: Final = 366 * 24 * 60


def alarms(event: Component) -> list[Alarm]:
    """Return the reminders of an event."""
    return [each for each in event.subcomponents if isinstance(each, Alarm)]


def minutes_before(alarm: Alarm) -> int | None:
    """Return how many minutes before the start an alarm is due; None for one at a fixed time or relative to the end."""
    trigger: Any = alarm.get("TRIGGER")
    if trigger is None or not isinstance(trigger.dt, timedelta) or trigger.params.get("RELATED") == "END":
        return None
    return round(-trigger.dt.total_seconds() / 60)


def set_reminders(event: VEvent, minutes: int | None, mailto: str | None, *, email: bool | None) -> None:
    """Set the time of the first reminder, and whether there is a reminder by mail; other reminders stay.

    Args:
        event: The event to change.
        minutes: How long before the start the first reminder is due; `_NO_REMINDER` removes all; None keeps it.
        mailto: The `mailto:` URI of the user, if known.
        email: Whether there is a reminder by mail; None keeps it as it is.

    Raises:
        InvalidArgumentError: an argument is not valid, or the user has no mail address for a reminder by mail.
    """
    _check_reminders(minutes, email=email)
    if minutes == _NO_REMINDER:
        _keep_alarms(event, lambda _: False)
    elif minutes is not None:
        _move_first_reminder(event, minutes)
    if email is False:
        _keep_alarms(event, lambda alarm: text(alarm, "ACTION").upper() != "EMAIL")
    elif email and not any(text(alarm, "ACTION").upper() == "EMAIL" for alarm in alarms(event)):
        if mailto is None:
            raise InvalidArgumentError(
                "reminder_email needs a mail address",
                "enter one in Nextcloud's personal settings",
                argument="reminder_email",
            )
        event.add_component(
            _new_alarm("EMAIL", minutes if minutes is not None else _first_reminder(event), event, mailto)
        )


def _check_reminders(minutes: int | None, *, email: bool | None) -> None:
    if minutes is not None and not _NO_REMINDER <= minutes <= _EARLIEST_REMINDER:
        raise InvalidArgumentError(
            "Invalid reminder_minutes {minutes}",
            (
                "pass how many minutes before the start it comes, from 0 (at the start) to {earliest_reminder} (a "
                "year), or {no_reminder} for no reminder"
            ),
            argument="reminder_minutes",
            minutes=minutes,
            earliest_reminder=_EARLIEST_REMINDER,
            no_reminder=_NO_REMINDER,
        )
    if minutes == _NO_REMINDER and email:
        raise InvalidArgumentError(
            f"reminder_minutes {_NO_REMINDER} (no reminder) and reminder_email=true contradict each other",
            "pass one of them",
            argument="reminder_minutes",
        )


def _first_reminder(event: VEvent) -> int:
    return next(
        (minutes for alarm in alarms(event) if (minutes := minutes_before(alarm)) is not None), _DEFAULT_REMINDER
    )


def _keep_alarms(event: VEvent, kept: Callable[[Alarm], bool]) -> None:
    event.subcomponents[:] = [each for each in event.subcomponents if not isinstance(each, Alarm) or kept(each)]


def _move_first_reminder(event: VEvent, minutes: int) -> None:
    """Move the first reminder and all at the same time, such as one by mail; add a reminder to an event without."""
    counted = [alarm for alarm in alarms(event) if minutes_before(alarm) is not None]
    if not counted:
        event.add_component(_new_alarm("DISPLAY", minutes, event, None))
        return
    together = minutes_before(counted[0])
    for alarm in counted:
        if minutes_before(alarm) == together:
            alarm["TRIGGER"] = vDDDTypes(-timedelta(minutes=minutes))


def _new_alarm(action: str, minutes: int, event: VEvent, mailto: str | None) -> Alarm:
    alarm = Alarm()
    alarm.add("action", action)
    alarm.add("trigger", -timedelta(minutes=minutes))
    alarm.add("description", text(event, "SUMMARY") or "Reminder")
    if mailto:  # RFC 5545 section 3.6.6: an EMAIL alarm needs SUMMARY and ATTENDEE
        alarm.add("summary", text(event, "SUMMARY") or "Reminder")
        alarm.add("attendee", vCalAddress(mailto))
    return alarm
