"""Calendars: create a calendar with events and tasks; search, change and delete them; find a free time."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.old_client import OldClient

APP: Final = "calendar"
GLANCE: Final[tuple[str, dict[str, Any]]] = ("nc_calendar_list_calendars", {})


async def journey(old: OldClient) -> None:
    """Keep a calendar."""
    manage = {"calendar_name": old.unique, "display_name": "Journey", "description": "", "color": "#1976D2"}
    await old.call("nc_calendar_manage_calendar", {"action": "create", **manage})
    listed = await old.call("nc_calendar_list_calendars")
    assert old.unique in {calendar["name"] for calendar in listed["calendars"]}

    await _events(old)
    await _tasks(old)

    await old.call("nc_calendar_manage_calendar", {"action": "delete", **manage})


async def _events(old: OldClient) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    here = {"calendar_name": old.unique}
    meeting = {**here, "title": "Meeting", "date": day, "time": "10:00", "duration_minutes": 30}
    await old.call("nc_calendar_create_meeting", meeting)
    series = {"recurring": True, "recurrence_rule": "FREQ=DAILY", "recurrence_end_date": day, "reminder_minutes": 15}
    created = await old.call(
        "nc_calendar_create_event",
        {**here, "title": "Stand-up", "start_datetime": f"{day}T09:00:00", "end_datetime": f"{day}T09:15:00", **series},
    )
    event = {**here, "event_uid": created["uid"]}

    changed = await old.call("nc_calendar_update_event", {**event, "location": "Room 1", "etag": created["etag"]})
    assert changed["etag"] != created["etag"]
    read = await old.call("nc_calendar_get_event", event)
    _has(read, title="Stand-up", location="Room 1", all_day=False, recurring=True, status="CONFIRMED", description="")
    assert (read["uid"], read["start_datetime"][:16]) == (created["uid"], f"{day}T09:00")

    found = await old.call("nc_calendar_list_events", {**here, "start_date": day, "end_date": day, "limit": 50})
    assert [each["title"] for each in found["events"]] == ["Stand-up", "Meeting"]
    upcoming = await old.call("nc_calendar_get_upcoming_events", {**here, "days_ahead": 7, "limit": 10})
    assert [each["title"] for each in upcoming["events"]] == ["Stand-up", "Meeting"]
    days = {"date_range_start": day, "date_range_end": day, "exclude_weekends": False}
    free = await old.call("nc_calendar_find_availability", {"duration_minutes": 15, **days})
    assert all(slot["duration_minutes"] >= 15 for slot in free["available_slots"])

    done = await old.call(
        "nc_calendar_bulk_operations",
        {"operation": "update", **here, "title_contains": "meet", "new_location": "Room 2"},
    )
    _has(done, operation="update", total_found=1, updated_count=1, failed_count=0)
    await old.call("nc_calendar_delete_event", event)
    left = await old.call("nc_calendar_list_events", here)
    assert [(each["title"], each["location"]) for each in left["events"]] == [("Meeting", "Room 2")]


async def _tasks(old: OldClient) -> None:
    here = {"calendar_name": old.unique}
    created = await old.call(
        "nc_calendar_create_todo", {**here, "summary": old.unique, "due": "2030-01-02", "priority": 1}
    )
    task = {**here, "todo_uid": created["uid"]}
    await old.call("nc_calendar_update_todo", {**task, "status": "COMPLETED", "percent_complete": 100})
    listed = await old.call("nc_calendar_list_todos", {**here, "status": "COMPLETED", "min_priority": 3})
    found = await old.call("nc_calendar_search_todos", {"summary_contains": old.unique})
    for todos in (listed["todos"], found["todos"]):
        (only,) = todos
        _has(only, uid=created["uid"], status="COMPLETED", percent_complete=100, due="2030-01-02", priority=1)
    await old.call("nc_calendar_delete_todo", task)
    assert (await old.call("nc_calendar_list_todos", here))["todos"] == []


def _has(result: dict[str, Any], **fields: Any) -> None:
    assert {name: result[name] for name in fields} == fields
