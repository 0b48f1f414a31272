"""What differs between the releases of Nextcloud that the stand-in can play, with the apps of their time.

Measured on Nextcloud 34.0.1 (Notes 6.0.2, Deck 1.18.3, Tables 2.2.2) and 32.0.1 (Notes 5.0.2, Deck 1.16.7,
Tables 1.0.9). The tests in tests/contract marked `by_release` hold both against the real ones.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A release of Nextcloud.

    Attributes:
        major: The major version, by which it is chosen.
        version: The version of the server.
        apps: The versions of the apps.
        expiry_time: The time of the last day at which a share ends.
        folder_page: The body of the response to GET of a folder.
        no_note: The type of the error for a missing note.
        has_user_header_in_dav: Whether WebDAV returns the header `X-User-Id`.
        has_locks: Whether it has the app files_lock.
        crashes_on_htaccess: Whether writing a file named `.htaccess` is an exception instead of a refusal.
        has_older_shares: Whether renaming in a share counts as deleting, and shares with groups do not reach accounts
            of user_oidc.
        has_older_deck: Whether Deck names a missing field in its 400, refuses labels of a new card after it has
            created the card, returns nothing for an assigned label, and has no start dates and colors of cards.
    """

    major: int
    version: str
    apps: dict[str, str]
    expiry_time: str
    folder_page: bytes
    no_note: str
    has_user_header_in_dav: bool
    has_locks: bool
    crashes_on_htaccess: bool
    has_older_shares: bool
    has_older_deck: bool


NEXTCLOUD_34 = Release(
    major=34,
    version="34.0.1",
    apps={"notes": "6.0.2", "deck": "1.18.3", "tables": "2.2.2"},
    expiry_time="23:59:59",
    folder_page=b"This is the WebDAV interface. It can only be accessed by WebDAV clients such as the Nextcloud "
    b"desktop sync client.",
    no_note="Exception",
    has_user_header_in_dav=True,
    has_locks=True,
    crashes_on_htaccess=True,
    has_older_shares=False,
    has_older_deck=False,
)
NEXTCLOUD_32 = Release(
    major=32,
    version="32.0.1",
    apps={"notes": "5.0.2", "deck": "1.16.7", "tables": "1.0.9"},
    expiry_time="00:00:00",
    folder_page=b"",
    no_note=r"OCA\Notes\Service\NoteDoesNotExistException",
    has_user_header_in_dav=False,
    has_locks=False,
    crashes_on_htaccess=False,
    has_older_shares=True,
    has_older_deck=True,
)
RELEASES = {release.major: release for release in (NEXTCLOUD_34, NEXTCLOUD_32)}
"""All releases by their major versions; the first one is the default."""
