"""What the keyring promises, and what a sealed value shows of itself."""

import base64
import copy
import json
import pickle
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.core.serializers.json import DjangoJSONEncoder
from django.template import Context as TemplateContext
from django.template import Template
from django_cryptography.utils.crypto import FernetBytes

from connections.sealing import DOTS, Context, Keyring, Sealed, SealError
from tests.factories import SENTINEL

HERE = Context("connections_grant", "refresh_token", "row-1")
KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]
TOKEN_LENGTH = 8 + 1 + 16 + 48 + 32  # time, version, IV, three blocks, MAC; the sentinel is 39 bytes long


@pytest.fixture
def ring():
    return Keyring(KEYS[:1])


@pytest.fixture
def sealed(ring):
    return ring.seal(SENTINEL, HERE)


def broken(ring, sealed, context=HERE):
    """The reason why it does not open."""
    with pytest.raises(SealError) as error:
        ring.open(sealed, context)
    assert SENTINEL not in str(error.value) + repr(error.value)
    return error.value.reason


def test_what_is_sealed_opens(ring, sealed):
    assert ring.open(sealed, HERE) == SENTINEL


def test_the_secret_is_not_in_what_is_sealed(sealed):
    body = sealed.split(".")[2]
    assert SENTINEL not in sealed
    assert SENTINEL.encode() not in base64.urlsafe_b64decode(body)


def test_the_same_secret_seals_differently_each_time(ring, sealed):
    assert ring.seal(SENTINEL, HERE) != sealed


@pytest.mark.parametrize("text", ["x", "ü→漢字🔑", " blanks stay ", "line\nbreak", "x" * 8192])
def test_any_text_comes_back_as_it_was(ring, text):
    assert ring.open(ring.seal(text, HERE), HERE) == text


def test_the_cipher_is_aes_with_a_256_bit_key(ring, sealed):
    """Opened once more by `cryptography` alone, without the library that sealed it."""
    key = ring.keys[0]
    assert isinstance(key.fernet(HERE), FernetBytes)
    cipher_key = key.derive("cipher", HERE.place)
    assert len(cipher_key) == 32
    token = base64.urlsafe_b64decode(sealed.split(".")[2])
    body = token[-32 - 48 - 16 : -32]
    decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(body[:16])).decryptor()
    assert decryptor.update(body[16:]).startswith(SENTINEL.encode())


def test_cipher_and_mac_have_keys_of_their_own(ring):
    key = ring.keys[0]
    assert key.derive("cipher", HERE.place) != key.derive("mac", HERE.place)
    assert key.secret not in (key.derive("cipher", HERE.place), key.derive("mac", HERE.place))


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, row="row-2"),
        replace(HERE, column="access_token"),
        replace(HERE, table="connections_oauthclient"),
        Context("connections_grant", "refresh", "_token.row-1"),
    ],
)
def test_what_was_moved_does_not_open(ring, sealed, elsewhere):
    assert broken(ring, sealed, elsewhere) == "damaged"


@pytest.mark.parametrize("position", range(TOKEN_LENGTH))
def test_a_flipped_bit_anywhere_does_not_open(ring, sealed, position):
    start, key_id, body = sealed.split(".")
    token = bytearray(base64.urlsafe_b64decode(body))
    assert len(token) == TOKEN_LENGTH
    token[position] ^= 1 << position % 8
    flipped = f"{start}.{key_id}.{base64.urlsafe_b64encode(bytes(token)).decode()}"
    assert broken(ring, flipped) == "damaged"


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10, 11, 12, 13, 40, 80, 120, -4, -1])
def test_what_was_cut_does_not_open(ring, sealed, length):
    assert broken(ring, sealed[:length]) in ("damaged", "unknown_key")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "1..", "no token", "2.{id}.{body}", "1.{id}.{body}!", "1.{id}."]
)
def test_what_was_never_sealed_does_not_open(ring, sealed, text):
    _, key_id, body = sealed.split(".")
    assert broken(ring, text.format(id=key_id, body=body)) in ("damaged", "unknown_key")


def test_another_key_is_told_apart_from_damage(sealed):
    assert broken(Keyring(KEYS[1:2]), sealed) == "unknown_key"


def test_a_key_id_of_another_key_does_not_open(ring, sealed):
    other = Keyring(KEYS[:2])
    _, _, body = sealed.split(".")
    assert broken(other, f"1.{other.keys[1].id}.{body}") == "damaged"


def test_without_any_key_nothing_opens_and_nothing_is_sealed(sealed):
    assert broken(Keyring([]), sealed) == "no_key"
    with pytest.raises(SealError) as error:
        Keyring([]).seal(SENTINEL, HERE)
    assert error.value.reason == "no_key"


def test_the_first_key_seals_and_all_open(ring, sealed):
    rotated = Keyring([KEYS[1], KEYS[0]])
    anew = rotated.seal(SENTINEL, HERE)
    assert rotated.open(sealed, HERE) == rotated.open(anew, HERE) == SENTINEL
    assert not rotated.is_current(sealed)
    assert rotated.is_current(anew)
    assert broken(ring, anew) == "unknown_key"


@pytest.mark.parametrize(
    "key", ["", "short", base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(33)).decode()]
)
def test_a_key_of_another_length_is_refused_by_its_position(key):
    with pytest.raises(ValueError, match="Key 2 of ENCRYPTION_KEYS"):
        Keyring([KEYS[0], key])


def test_a_refused_key_is_not_quoted():
    with pytest.raises(ValueError) as error:
        Keyring([SENTINEL])
    assert SENTINEL not in str(error.value)


def test_a_key_shows_nothing_of_itself(ring):
    shown = repr(ring.keys[0]) + str(ring.keys)
    assert KEYS[0] not in shown
    assert repr(ring.keys[0].secret) not in shown


def test_the_key_id_is_no_part_of_the_key(ring):
    key = ring.keys[0]
    assert len(key.id) == 8
    assert key.id not in key.secret.hex()


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        format,
        lambda value: f"{value:>3}{value!s}{value!r}",
        lambda value: "%s %r" % (value, value),  # noqa: UP031  the old way must be safe too
        lambda value: "".join([value, "x"]),
        lambda value: value + "x",
        lambda value: value.encode(),
        json.dumps,
        lambda value: json.dumps({"a": [value]}, ensure_ascii=False),
        lambda value: json.dumps({value: value}, cls=DjangoJSONEncoder),
        pickle.dumps,
        lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301  our own
        lambda value: pickle.dumps({"deep": [value]}, protocol=0),
        copy.copy,
        copy.deepcopy,
        lambda value: repr([value]) + repr({"a": value}) + repr((value,)),
        lambda value: Template("{{ value }}{{ value|safe }}{{ value|stringformat:'r' }}").render(
            TemplateContext({"value": value})
        ),
        lambda value: value[:] + value.upper() + value.strip() + value.replace("x", "y"),
    ],
)
@pytest.mark.parametrize("state", ["typed", "stored"])
def test_a_sealed_value_shows_only_dots(ring, sealed, show, state):
    value = Sealed.of(SENTINEL) if state == "typed" else Sealed.stored(sealed, lambda: HERE)
    shown = show(value)
    for text in (str(shown), repr(shown)):
        assert SENTINEL not in text
        assert sealed not in text


def test_dots_are_what_it_shows():
    value = Sealed.of(SENTINEL)
    assert f"{value}" == str(value) == repr(value) == json.loads(json.dumps(value)) == DOTS


def test_only_reveal_gives_the_text():
    assert Sealed.of(SENTINEL).reveal() == SENTINEL


def test_two_secrets_of_the_same_text_are_not_equal():
    """Comparing must not be a way to guess, and dots must not look like an unchanged value."""
    value = Sealed.of(SENTINEL)
    assert value != Sealed.of(SENTINEL)
    assert value != SENTINEL
    assert value != DOTS
    assert value in [value]


@pytest.mark.parametrize("mask", ["", DOTS, "•", "****", "•*•*"])
def test_a_mask_or_nothing_is_never_taken_for_a_secret(mask):
    with pytest.raises(ValueError, match="not a secret"):
        Sealed.of(mask)
