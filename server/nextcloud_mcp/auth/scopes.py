"""Which scope each tool needs.

Nextcloud enforces no OAuth scopes: a token that it accepts opens everything its user may do. So this table is
the only place where a token is worth less than its user, and `auth.admission` is the only place that reads it
before a call.
"""

from collections.abc import Mapping
from typing import Final

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
    "nc_webdav_move_resource": frozenset({"files:write"}),
    "nc_webdav_copy_resource": frozenset({"files:write"}),
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
}


def all_scopes() -> list[str]:
    """Every scope that some tool needs, sorted."""
    return sorted(frozenset[str]().union(*TOOL_SCOPES.values()))


def missing_scopes(tool: str, granted: frozenset[str]) -> frozenset[str]:
    """Return what `granted` lacks for `tool`.

    Raises:
        KeyError: the tool is not in the table; a tool without an entry must never run.
    """
    return TOOL_SCOPES[tool] - granted
