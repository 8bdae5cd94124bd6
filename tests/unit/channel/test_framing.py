"""WebSocket frames, against the ``websockets`` library as the other side."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from e2ecore_channel import CloseCode, Framing, FramingError

LIMIT = 1 << 17
sizes = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
bodies = st.builds(lambda size, byte: bytes([byte]) * size, sizes, st.integers(0, 255))


def peer_of(*, is_client: bool) -> tuple[Framing, Protocol]:
    """Our side, and the library's other side of one connection."""
    ours = Framing(is_client=is_client, max_message_bytes=LIMIT)
    if is_client:
        return ours, ServerProtocol(state=OPEN, max_size=LIMIT)
    return ours, ClientProtocol(parse_uri("ws://x"), state=OPEN, max_size=LIMIT)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes as several reads."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


@given(st.booleans(), st.lists(bodies, max_size=5), st.lists(st.integers(0, 2**20), max_size=4))
def test_messages_of_the_library_arrive_however_they_are_cut(
    is_client: bool,  # noqa: FBT001 - a strategy
    messages: list[bytes],
    cuts: list[int],
) -> None:
    ours, theirs = peer_of(is_client=is_client)
    for message in messages:
        theirs.send_binary(message)
    received = [
        message
        for piece in pieces(b"".join(theirs.data_to_send()), cuts)
        for message in ours.feed(piece)
    ]
    assert received == messages


@given(st.booleans(), st.lists(bodies, max_size=5))
def test_the_library_understands_our_messages(
    is_client: bool,  # noqa: FBT001 - a strategy
    messages: list[bytes],
) -> None:
    ours, theirs = peer_of(is_client=is_client)
    theirs.receive_data(ours.encode(messages))
    events = theirs.events_received()
    assert [event.data for event in events if isinstance(event, Frame)] == messages
    assert theirs.state is OPEN


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_fragments_become_one_message(parts: list[bytes]) -> None:
    ours, theirs = peer_of(is_client=False)
    theirs.send_binary(parts[0], fin=len(parts) == 1)
    for index, part in enumerate(parts[1:], 2):
        theirs.send_ping(b"between")
        theirs.send_continuation(part, fin=index == len(parts))
    assert ours.feed(b"".join(theirs.data_to_send())) == [b"".join(parts)]


@pytest.mark.clause("MPS82-7.1")
@given(st.booleans(), st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_are_taken_or_refused(
    is_client: bool,  # noqa: FBT001 - a strategy
    reads: list[bytes],
) -> None:
    ours, _ = peer_of(is_client=is_client)
    try:
        for read in reads:
            ours.feed(read)
    except FramingError as error:
        code = error.code
    else:
        code = CloseCode.NORMAL
    assert code in set(CloseCode)


def test_pings_are_answered_with_their_own_text() -> None:
    ours, theirs = peer_of(is_client=False)
    theirs.send_ping(b"are you there")
    theirs.send_pong(b"unasked")
    assert ours.feed(b"".join(theirs.data_to_send())) == []
    theirs.receive_data(bytes(ours.replies))
    (answer,) = theirs.events_received()
    assert isinstance(answer, Frame)
    assert (answer.opcode, bytes(answer.data)) == (Opcode.PONG, b"are you there")


def test_our_ping_is_a_ping() -> None:
    ours, theirs = peer_of(is_client=True)
    theirs.receive_data(ours.ping())
    assert len(theirs.data_to_send()) == 1


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "bye"), (4000, "\u00fc" * 61), (None, "")]
)
def test_a_goodbye_is_understood_and_returned(code: int | None, reason: str) -> None:
    ours, theirs = peer_of(is_client=False)
    theirs.send_binary(b"last")
    theirs.send_close(code, reason)
    assert ours.feed(b"".join(theirs.data_to_send())) == [b"last"]
    assert ours.close == (code or CloseCode.NO_CODE, reason)
    theirs.receive_data(bytes(ours.replies))
    theirs.receive_eof()
    assert theirs.close_code == (code or CloseCode.NO_CODE)
    assert ours.feed(b"whatever comes now") == []


def test_a_long_reason_is_cut_between_characters() -> None:
    ours, theirs = peer_of(is_client=True)
    theirs.receive_data(ours.close_frame(1008, "\u00fc" * 200))
    assert theirs.close_rcvd is not None
    assert theirs.close_rcvd.reason == "\u00fc" * 61


def client_frame(first: int, payload: bytes = b"") -> bytes:
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x82\x00", 1002, id="not masked"),
        pytest.param(client_frame(0x81, b"x"), 1003, id="text"),
        pytest.param(client_frame(0xC2), 1002, id="reserved bit"),
        pytest.param(client_frame(0x83), 1002, id="unknown kind"),
        pytest.param(client_frame(0x8B), 1002, id="unknown control"),
        pytest.param(client_frame(0x80), 1002, id="continues nothing"),
        pytest.param(client_frame(0x02) + client_frame(0x82), 1002, id="begins twice"),
        pytest.param(client_frame(0x09), 1002, id="fragmented ping"),
        pytest.param(b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002, id="long ping"),
        pytest.param(b"\x82\xff" + (LIMIT + 1).to_bytes(8), 1009, id="too big"),
        pytest.param(b"\x82\xff\xff" + bytes(7), 1009, id="far too big"),
        pytest.param(
            b"\x02\xff" + LIMIT.to_bytes(8) + bytes(4 + LIMIT) + client_frame(0x80, b"x"),
            1009,
            id="fragments too big together",
        ),
        pytest.param(client_frame(0x88, b"x"), 1002, id="close with half a code"),
        pytest.param(client_frame(0x88, (1005).to_bytes(2)), 1002, id="close without code"),
        pytest.param(client_frame(0x88, (999).to_bytes(2)), 1002, id="close with unknown code"),
        pytest.param(client_frame(0x88, b"\x03\xe8\xff"), 1007, id="close with a wrong text"),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_its_code(data: bytes, code: int) -> None:
    ours, _ = peer_of(is_client=False)
    with pytest.raises(FramingError) as caught:
        ours.feed(data)
    assert caught.value.code == code


def test_a_frame_that_announces_too_much_is_refused_before_it_comes() -> None:
    ours, _ = peer_of(is_client=True)
    ours.max_message_bytes = 10
    with pytest.raises(FramingError):
        ours.feed(b"\x82\x0b")


def test_empty_fragments_cost_nothing() -> None:
    ours, _ = peer_of(is_client=False)
    assert ours.feed(client_frame(0x02) + client_frame(0x00) * 10_000) == []
    assert ours.feed(client_frame(0x80, b"end")) == [b"end"]
