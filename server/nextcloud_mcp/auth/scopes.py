"""Which scope each tool and each resource needs, and which of them a server offers.

Nextcloud enforces no OAuth scopes: a token that it accepts opens everything its user may do. So these tables are
the only place where a token is worth less than its user, and `auth.admission` is the only place that reads them
before a call.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple

from mcp.shared.uri_template import UriTemplate

TOOL_SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "nc_whoami": frozenset(),
    "nc_notes_create_note": frozenset({"notes:write"}),
    "nc_notes_update_note": frozenset({"notes:write"}),
    "nc_notes_append_content": frozenset({"notes:write"}),
    "nc_notes_search_notes": frozenset({"notes:read"}),
    "nc_notes_get_note": frozenset({"notes:read"}),
    "nc_notes_get_attachment": frozenset({"notes:read"}),
    "nc_notes_delete_note": frozenset({"notes:write"}),
    "nc_webdav_list_directory": frozenset({"files:read"}),
    "nc_webdav_read_file": frozenset({"files:read"}),
    "nc_webdav_write_file": frozenset({"files:write"}),
    "nc_webdav_create_directory": frozenset({"files:write"}),
    "nc_webdav_delete_resource": frozenset({"files:write"}),
    "nc_webdav_move_resource": frozenset({"files:read", "files:write"}),
    "nc_webdav_copy_resource": frozenset({"files:read", "files:write"}),
    "nc_webdav_search_files": frozenset({"files:read"}),
    "nc_webdav_find_by_name": frozenset({"files:read"}),
    "nc_webdav_find_by_type": frozenset({"files:read"}),
    "nc_webdav_list_favorites": frozenset({"files:read"}),
    "nc_contacts_list_addressbooks": frozenset({"contacts:read"}),
    "nc_contacts_list_contacts": frozenset({"contacts:read"}),
    "nc_contacts_create_addressbook": frozenset({"contacts:write"}),
    "nc_contacts_delete_addressbook": frozenset({"contacts:write"}),
    "nc_contacts_create_contact": frozenset({"contacts:write"}),
    "nc_contacts_update_contact": frozenset({"contacts:write"}),
    "nc_contacts_delete_contact": frozenset({"contacts:write"}),
    "nc_webdav_upload_part": frozenset({"files:write"}),
    "nc_webdav_list_trash": frozenset({"files:read"}),
    "nc_webdav_restore_from_trash": frozenset({"files:write"}),
    "nc_share_create": frozenset({"files:read", "sharing:write"}),
    "nc_share_delete": frozenset({"files:read", "sharing:write"}),
    "nc_share_get": frozenset({"files:read", "sharing:write"}),
    "nc_share_list": frozenset({"files:read", "sharing:write"}),
    "nc_share_update": frozenset({"files:read", "sharing:write"}),
    "deck_get_boards": frozenset({"deck:read"}),
    "deck_get_board": frozenset({"deck:read"}),
    "deck_get_stacks": frozenset({"deck:read"}),
    "deck_get_stack": frozenset({"deck:read"}),
    "deck_get_cards": frozenset({"deck:read"}),
    "deck_get_card": frozenset({"deck:read"}),
    "deck_get_labels": frozenset({"deck:read"}),
    "deck_get_label": frozenset({"deck:read"}),
    "deck_create_board": frozenset({"deck:write"}),
    "deck_create_stack": frozenset({"deck:write"}),
    "deck_update_stack": frozenset({"deck:write"}),
    "deck_delete_stack": frozenset({"deck:write"}),
    "deck_create_card": frozenset({"deck:write"}),
    "deck_update_card": frozenset({"deck:write"}),
    "deck_delete_card": frozenset({"deck:write"}),
    "deck_archive_card": frozenset({"deck:write"}),
    "deck_unarchive_card": frozenset({"deck:write"}),
    "deck_reorder_card": frozenset({"deck:write"}),
    "deck_assign_label_to_card": frozenset({"deck:write"}),
    "deck_remove_label_from_card": frozenset({"deck:write"}),
    "deck_assign_user_to_card": frozenset({"deck:write"}),
    "deck_unassign_user_from_card": frozenset({"deck:write"}),
    "deck_create_label": frozenset({"deck:write"}),
    "deck_update_label": frozenset({"deck:write"}),
    "deck_delete_label": frozenset({"deck:write"}),
    "nc_tables_list_tables": frozenset({"tables:read"}),
    "nc_tables_get_schema": frozenset({"tables:read"}),
    "nc_tables_read_table": frozenset({"tables:read"}),
    "nc_tables_insert_row": frozenset({"tables:write"}),
    "nc_tables_update_row": frozenset({"tables:read", "tables:write"}),
    "nc_tables_delete_row": frozenset({"tables:read", "tables:write"}),
    "nc_cookbook_import_recipe": frozenset({"cookbook:write"}),
    "nc_cookbook_list_recipes": frozenset({"cookbook:read"}),
    "nc_cookbook_get_recipe": frozenset({"cookbook:read"}),
    "nc_cookbook_create_recipe": frozenset({"cookbook:write"}),
    "nc_cookbook_update_recipe": frozenset({"cookbook:write"}),
    "nc_cookbook_delete_recipe": frozenset({"cookbook:write"}),
    "nc_cookbook_search_recipes": frozenset({"cookbook:read"}),
    "nc_cookbook_list_categories": frozenset({"cookbook:read"}),
    "nc_cookbook_get_recipes_in_category": frozenset({"cookbook:read"}),
    "nc_cookbook_list_keywords": frozenset({"cookbook:read"}),
    "nc_cookbook_get_recipes_with_keywords": frozenset({"cookbook:read"}),
    "nc_cookbook_set_config": frozenset({"cookbook:write", "files:read", "files:write"}),
    "nc_cookbook_reindex": frozenset({"cookbook:write"}),
    "nc_calendar_list_calendars": frozenset({"calendar:read"}),
    "nc_calendar_create_event": frozenset({"calendar:write"}),
    "nc_calendar_list_events": frozenset({"calendar:read"}),
    "nc_calendar_get_event": frozenset({"calendar:read"}),
    "nc_calendar_update_event": frozenset({"calendar:write"}),
    "nc_calendar_delete_event": frozenset({"calendar:write"}),
    "nc_calendar_create_meeting": frozenset({"calendar:write"}),
    "nc_calendar_get_upcoming_events": frozenset({"calendar:read"}),
    "nc_calendar_find_availability": frozenset({"calendar:read"}),
    "nc_calendar_bulk_operations": frozenset({"calendar:read", "calendar:write"}),
    "nc_calendar_manage_calendar": frozenset({"calendar:read", "calendar:write"}),
    "nc_calendar_list_todos": frozenset({"calendar:read", "todo:read"}),
    "nc_calendar_create_todo": frozenset({"calendar:read", "todo:write"}),
    "nc_calendar_update_todo": frozenset({"calendar:read", "todo:write"}),
    "nc_calendar_delete_todo": frozenset({"calendar:read", "todo:write"}),
    "nc_calendar_search_todos": frozenset({"calendar:read", "todo:read"}),
}
"""What one scope guards, no other opens. So a tool needs several where it reaches further than its own app: a share, a
copy or a recipe folder makes files readable by another way; and where a change answers with what was there."""

READ_ONLY_SHARE: Final = 1
"""The permission to read alone, as the number that Nextcloud's Share API has for it."""

DECK_CALENDAR: Final = "app-generated--deck--"
"""Is in the name of each calendar as which Nextcloud shows a board of Deck: its tasks are the board's cards."""

RESOURCE_SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "nc://capabilities": frozenset(),
    "notes://settings": frozenset({"notes:read"}),
    "nc://Notes/{note_id}": frozenset({"notes:read"}),
    "nc://Notes/{note_id}/attachments/{attachment_filename}": frozenset({"notes:read"}),
    "nc://Deck/boards": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}/stacks": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}/stacks/{stack_id}": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}/stacks/{stack_id}/cards": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}/stacks/{stack_id}/cards/{card_id}": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}/labels": frozenset({"deck:read"}),
    "nc://Deck/boards/{board_id}/labels/{label_id}": frozenset({"deck:read"}),
    "nc://Files/{+path}": frozenset({"files:read"}),
    "cookbook://version": frozenset({"cookbook:read"}),
    "cookbook://config": frozenset({"cookbook:read"}),
    "nc://Cookbook/{recipe_id}": frozenset({"cookbook:read"}),
}
"""By URI, or URI template (RFC 6570)."""


class Feature(NamedTuple):
    """What a request makes use of.

    Attributes:
        kind: a tool, a resource, or the completion of a resource's URI.
        name: the tool's name, or the resource's URI template.
    """

    kind: Literal["tool", "resource", "completion"]
    name: str

    def event(self, outcome: str) -> str:
        """Return the name of a log event: `tool.done`."""
        return f"{self.kind}.{outcome}"

    @property
    def label(self) -> dict[str, str]:
        """What names it in a log event."""
        return {self.kind: self.name}


class Offer:
    """What one server offers of all there is; what it does not offer is as if it did not exist."""

    def __init__(self, *, read_only: bool = False, apps: Collection[str] = ()) -> None:
        """Offer everything, or less.

        Args:
            read_only: only what no writing scope is needed for.
            apps: only these, as their scopes name them; none is all.
        """
        self._read_only = read_only
        self._apps = frozenset(apps)
        self.tools: Final = {name: scopes for name, scopes in TOOL_SCOPES.items() if self._offered(scopes)}
        self.resources: Final = {uri: scopes for uri, scopes in RESOURCE_SCOPES.items() if self._offered(scopes)}
        self._templates: Final = {uri: UriTemplate.parse(uri) for uri in self.resources}

    def scopes(self) -> list[str]:
        """Every scope that something needs, sorted."""
        return sorted(frozenset[str]().union(*self.tools.values(), *self.resources.values()))

    def has(self, feature: Feature) -> bool:
        """Say whether `feature` is offered.

        Raises:
            KeyError: it is not in the tables; a tool or resource without an entry must never run.
        """
        return self._offered((TOOL_SCOPES if feature.kind == "tool" else RESOURCE_SCOPES)[feature.name])

    def missing(
        self, feature: Feature, granted: frozenset[str], arguments: Mapping[str, Any] | None = None
    ) -> frozenset[str]:
        """Return what `granted` lacks for `feature`; with `arguments`, for its use with these.

        Raises:
            KeyError: it is not offered.
        """
        needed = (self.tools if feature.kind == "tool" else self.resources)[feature.name]
        return (needed | argument_scopes(feature, arguments or {})) - granted

    def resource_at(self, uri: str) -> tuple[str, dict[str, str]] | None:
        """Return the template of the resource at `uri` and what `uri` fills in, decoded."""
        for name, template in self._templates.items():
            values = template.match(uri)
            if values is not None:
                return name, {variable: str(value) for variable, value in values.items()}
        return None

    def _offered(self, scopes: frozenset[str]) -> bool:
        """Say whether what needs these scopes is offered."""
        apps, accesses = {app_of(scope) for scope in scopes}, {scope.partition(":")[2] for scope in scopes}
        return not (self._read_only and "write" in accesses) and not (self._apps and apps - self._apps)


def argument_scopes(feature: Feature, arguments: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes that a tool needs for these arguments, besides those of `TOOL_SCOPES`.

    The arguments are as the caller wrote them, of any type: whatever is not plainly harmless needs the scope.
    """
    if feature.kind != "tool":
        return frozenset()
    needed: set[str] = set()
    if feature.name in {"nc_share_create", "nc_share_update"} and not _is_read_only_share(arguments):
        needed.add("files:write")  # others then write to what is shared, and so does whoever has the link
    if any(DECK_CALENDAR in str(value).casefold() for name, value in arguments.items() if "calendar" in name):
        is_reading = all(scope.endswith(":read") for scope in TOOL_SCOPES[feature.name])
        needed.add("deck:read" if is_reading else "deck:write")
    return frozenset(needed)


def _is_read_only_share(arguments: Mapping[str, Any]) -> bool:
    """Say whether a share allows reading alone: by a plain number, for "31" and 31.0 are read as 31 too.

    No value means the default of `nc_share_create`, and is refused by `nc_share_update`.
    """
    permissions = arguments.get("permissions")
    is_default = permissions is None or permissions == ""
    return is_default or (type(permissions) is int and permissions == READ_ONLY_SHARE)


def app_of(scope: str) -> str:
    """Return the app that a scope names: of `notes:read`, `notes`."""
    return scope.partition(":")[0]


def scopes_of(app: str) -> frozenset[str]:
    """Return every scope that a tool of `app` needs, those of other apps included."""
    return frozenset().union(*(scopes for scopes in TOOL_SCOPES.values() if app in map(app_of, scopes)))


def all_apps() -> list[str]:
    """Every app that some scope names, sorted."""
    return sorted({app_of(scope) for scope in Offer().scopes()})
