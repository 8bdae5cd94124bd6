"""Keys from passphrases: repeatable, salted, and only within limits."""

from dataclasses import replace

import pytest

from e2ecore.crypto.errors import KeyMaterialError
from e2ecore.crypto.password import (
    DEFAULT_PARAMETERS,
    MAX_ITERATIONS,
    MAX_LANES,
    MAX_MEMORY_KIB,
    Argon2idParameters,
    derive_password_key,
)

CHEAP = Argon2idParameters(memory_kib=64, iterations=1, lanes=1)
SALT = bytes(range(16))


PASSPHRASE = "correct horse"


def derive(text: str = PASSPHRASE, salt: bytes = SALT) -> bytes:
    return derive_password_key(text, salt, parameters=CHEAP).raw


def test_the_same_passphrase_salt_and_work_give_the_same_key() -> None:
    assert derive() == derive()
    assert len({derive(), derive("Correct horse"), derive(salt=bytes(16))}) == 3
    dearer = derive_password_key(PASSPHRASE, SALT, parameters=replace(CHEAP, iterations=2))
    assert dearer.raw != derive()


def test_the_key_is_the_published_one() -> None:
    """RFC 9106 has a vector with secret and data only; this one is of the reference program."""
    parameters = Argon2idParameters(memory_kib=65536, iterations=2, lanes=1)
    key = derive_password_key("password", b"somesalt", parameters=parameters)
    assert key.raw.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


def test_one_text_has_one_key_however_it_is_composed() -> None:
    assert derive("caf\u00e9") == derive("cafe\u0301")


def test_the_key_has_the_size_that_was_asked_for() -> None:
    key = derive_password_key(PASSPHRASE, SALT, parameters=CHEAP, size=64)
    assert len(key.raw) == 64


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(replace(CHEAP, memory_kib=0), id="no memory"),
        pytest.param(replace(CHEAP, memory_kib=MAX_MEMORY_KIB + 1), id="too much memory"),
        pytest.param(replace(CHEAP, iterations=0), id="no iterations"),
        pytest.param(replace(CHEAP, iterations=MAX_ITERATIONS + 1), id="too many iterations"),
        pytest.param(replace(CHEAP, lanes=0), id="no lanes"),
        pytest.param(replace(CHEAP, lanes=MAX_LANES + 1), id="too many lanes"),
        pytest.param(replace(CHEAP, memory_kib=8, lanes=4), id="less memory than the lanes need"),
    ],
)
def test_parameters_out_of_range_are_refused(bad: Argon2idParameters) -> None:
    with pytest.raises(KeyMaterialError):
        derive_password_key(PASSPHRASE, SALT, parameters=bad)


def test_short_salts_and_text_that_is_no_text_are_refused() -> None:
    with pytest.raises(KeyMaterialError):
        derive(salt=b"short")
    with pytest.raises(KeyMaterialError):
        derive("\ud800")


def test_the_default_is_the_second_choice_of_the_rfc() -> None:
    assert Argon2idParameters(memory_kib=65536, iterations=3, lanes=4) == DEFAULT_PARAMETERS
