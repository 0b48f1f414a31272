"""`nextcloud.account_creation`: one of the first concurrent requests for an account is sent, the others wait for it."""

from collections.abc import Iterator

import anyio
import httpx
import pytest
import stamina

from nextcloud_mcp.errors import NextcloudUnavailableError, TokenNotAcceptedError
from nextcloud_mcp.nextcloud.account_cache import LIMIT, AccountCache
from nextcloud_mcp.nextcloud.account_creation import AccountCreation
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, NOTES, USER_PATH, FakeNextcloud, ocs_user

BEING_MADE = answer(500, json={"ocs": {"meta": {"statuscode": 996}, "data": []}})
ALICE = ("https://issuer.test", "sub-of-alice", "alice")


class Asking:
    """Asks Nextcloud for the user, which answers when a test lets it, and as it says."""

    def __init__(self, *failures: Exception) -> None:
        self.times = 0
        self.may_answer = anyio.Event()
        self._failures = list(failures)

    async def __call__(self) -> None:
        """Ask once."""
        self.times += 1
        await self.may_answer.wait()
        if self._failures:
            raise self._failures.pop(0)


def unavailable(status: int | None) -> NextcloudUnavailableError:
    """Return the error for an answer with this status."""
    return NextcloudUnavailableError("It is out of order", "try again", status=status)


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Repeat three times, at once."""
    with stamina.set_testing(True, attempts=3):
        yield


async def test_concurrent_first_calls_send_one_request() -> None:
    """Nine concurrent callers cause one request and then continue; later callers cause none."""
    creation, asking, arrived = AccountCreation(LIMIT), Asking(), []

    async def come() -> None:
        await creation.ensure(ALICE, asking)
        arrived.append(asking.may_answer.is_set())

    async with anyio.create_task_group() as group:
        for _ in range(9):
            group.start_soon(come)
        await anyio.wait_all_tasks_blocked()
        assert (asking.times, arrived) == (1, [])
        asking.may_answer.set()
    await come()
    assert (asking.times, arrived) == (1, [True] * 10)


async def test_accounts_do_not_wait_for_each_other() -> None:
    """The creation of one account does not delay other users."""
    creation, slow, quick = AccountCreation(LIMIT), Asking(), Asking()
    quick.may_answer.set()
    async with anyio.create_task_group() as group:
        group.start_soon(creation.ensure, ALICE, slow)
        await anyio.wait_all_tasks_blocked()
        await creation.ensure(("https://issuer.test", "sub-of-bob", "bob"), quick)
        assert (slow.times, quick.times) == (1, 1)
        slow.may_answer.set()


async def test_retries_while_another_replica_creates_account() -> None:
    """Nextcloud answers HTTP 500 while a request of another process creates the account."""
    creation, asking = AccountCreation(LIMIT), Asking(unavailable(500), unavailable(500))
    asking.may_answer.set()
    await creation.ensure(ALICE, asking)
    assert asking.times == 3


@pytest.mark.parametrize("status", [None, 502, 503])
async def test_outage_is_reported_to_all_waiting_callers(status: int | None) -> None:
    """An unrelated error is not retried, also not by those who waited; later callers send a request."""
    creation, asking, failures = AccountCreation(LIMIT), Asking(unavailable(status)), []

    async def come() -> None:
        try:
            await creation.ensure(ALICE, asking)
        except NextcloudUnavailableError as error:
            failures.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(come)
        await anyio.wait_all_tasks_blocked()
        asking.may_answer.set()
    assert (asking.times, failures) == (1, ["It is out of order: try again."] * 3)
    await come()
    assert (asking.times, len(failures)) == (2, 3)


async def test_refused_token_affects_only_its_caller() -> None:
    """A caller who waited for a request with another, refused token sends its own."""
    creation, asking = AccountCreation(LIMIT), Asking(TokenNotAcceptedError("Nextcloud refuses it", "sign in"))
    refused = []

    async def come() -> None:
        try:
            await creation.ensure(ALICE, asking)
        except TokenNotAcceptedError:
            refused.append(1)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(come)
        await anyio.wait_all_tasks_blocked()
        asking.may_answer.set()
    assert (asking.times, len(refused)) == (2, 1)


async def test_cancelled_caller_is_replaced() -> None:
    """If the caller that sends the request is cancelled, one of the waiting callers sends it."""
    creation, asking = AccountCreation(LIMIT), Asking()
    first = anyio.CancelScope()

    async def come_first() -> None:
        with first:
            await creation.ensure(ALICE, asking)

    async with anyio.create_task_group() as group:
        group.start_soon(come_first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(creation.ensure, ALICE, asking)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        assert asking.times == 2
        asking.may_answer.set()


async def test_memory_is_bounded() -> None:
    """The least recently used account is evicted and requested again."""
    creation, asking = AccountCreation(LIMIT), Asking()
    asking.may_answer.set()
    for number in range(LIMIT + 1):
        await creation.ensure(number, asking)
    await creation.ensure(LIMIT, asking)
    assert asking.times == LIMIT + 1
    await creation.ensure(0, asking)
    assert asking.times == LIMIT + 2


async def test_every_kind_of_first_request_waits(http: httpx.AsyncClient, fake: FakeNextcloud) -> None:
    """Until the account exists only the user request is sent, then each request once."""
    fake.on("GET", USER_PATH, BEING_MADE, BEING_MADE, ocs_user("alice"))
    fake.on("POST", NOTES, answer(json={}))
    fake.on("PUT", f"{FILES}/a.txt", answer(201))
    accounts = AccountCache()
    async with anyio.create_task_group() as group:
        for method, path in (("POST", NOTES), ("PUT", f"{FILES}/a.txt")) * 3:
            nextcloud = Nextcloud(http, accounts, account=ALICE, token="token-of-alice")

            async def send(nextcloud: Nextcloud = nextcloud, method: str = method, path: str = path) -> None:
                await nextcloud.request(method, path, about="it")

            group.start_soon(send)
    kinds = [(request.method, request.url.path == USER_PATH) for request in fake.requests]
    assert kinds[:3] == [("GET", True)] * 3
    assert sorted(kinds[3:]) == [("POST", False)] * 3 + [("PUT", False)] * 3
