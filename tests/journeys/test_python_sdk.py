"""Every simulated behaviour of chat, as the user of the official Python SDK sees it."""

import pytest
from openai import AsyncOpenAI

from tests.journeys.python_sdk import ask
from tests.journeys.sdk_cases import Case, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("case", "dialect", "how"),
    [pytest.param(case, dialect, how, id=claim) for claim, case, dialect, how in rows()],
)
async def test_an_sdk_user_sees(client: AsyncOpenAI, case: Case, dialect: str, how: str) -> None:
    seen = await ask(client, case.model(dialect), how, case.asked, **case.members)

    assert case.expected(dialect, how) == seen
