from __future__ import annotations

from typing import Any

import pytest

from search.storages.redaction import redact

SECRETS = [
    "pw", "se@cr:et", "a/b", "a@b/c", "p#w", "p?w", "p%40w", "p&w=1", "123/4", "[x]", "http://x", "ü", "'\"", "*", "a@", ":",
]  # fmt: skip
SHAPES = [
    "postgresql+psycopg://ann:{}@host:5432/db",
    "postgresql://ann@server:{}@host/db?sslmode=require",
    "redis://:{}@host",
    "grpc://ann:{}@[::1]:13000",
    "storage postgresql://ann:{}@host/db: expected a database to connect to, found: none",
    "error in 'postgresql://ann:{}@host/db'",
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_of_a_password_is_shown(shape: str, secret: str) -> None:
    assert redact(shape.format(secret)) == shape.format("***")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:my secret@host/db", "postgresql://ann:***@host/db"),
        ("mysql://host/db?user=ann&password=pw&x=1", "mysql://host/db?user=ann&password=***&x=1"),
        ("postgresql://host/db?sslpassword=p@w/x", "postgresql://host/db?sslpassword=***"),
        ("host=h user=ann Password='my secret' dbname=d", "host=h user=ann Password=*** dbname=d"),
        ({"a": ["redis://:pw@host"], "password": "pw"}, {"a": ["redis://:***@host"], "password": "***"}),
        (("a", {"b": "x://y:z@w"}), ["a", {"b": "x://y:***@w"}]),
    ],
)
def test_passwords_are_found_at_any_depth(text: Any, shown: Any) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "value",
    [
        "sqlite:///runs/x/study.db", "sqlite:////a:b@c/study.db", "postgresql://host:5432/db", "grpc://127.0.0.1:13000",
        "s3://bucket", "mail ann@example.org at 10:30", "epoch 3: loss=0.5", 7, None, 0.5, "",
    ],
)  # fmt: skip
def test_what_holds_no_password_stays_as_it_is(value: Any) -> None:
    assert redact(value) == value
