"""The addresses of authors that can get mail."""

from __future__ import annotations

import pytest

from reports.mail_addresses import gets_mail


@pytest.mark.parametrize(
    "address, expected",
    [
        ("ada@up.example", True),
        ("Ada.B+c@up.example", True),
        ("o'neil@up.example", True),
        ("reply@up.example", True),
        ("norepl@up.example", True),
        ("snoreplyer@up.example", True),
        ("ada@no-replyer.example", True),
        ("", False),
        ("ada", False),
        ("a b@up.example", False),
        ("ada@up.example, b@up.example", False),
        ("noreply@github.com", False),
        ("123+ada@users.noreply.github.com", False),
        ("49699333+dependabot[bot]@users.noreply.github.com", False),
        ("12-ada@users.noreply.gitlab.com", False),
        ("do-not-reply-No-Reply@up.example", False),
        ("donotreply@up.example", False),
        ("root@localhost", False),
        ("ada@laptop.localdomain", False),
        ("none@none.invalid", False),
    ],
)
def test_address_that_gets_mail(address: str, expected: bool) -> None:  # noqa: FBT001
    assert gets_mail(address) is expected
