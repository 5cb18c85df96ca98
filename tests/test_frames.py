from hypothesis import given
from hypothesis import strategies as st

from penstock.frames import frame, scan

PAYLOADS = st.lists(st.binary(max_size=40), max_size=6)


def payloads(data):
    return [bytes(each) for each in scan(data).payloads]


@given(PAYLOADS)
def test_what_was_written_is_read(written):
    data = b"".join(map(frame, written))

    assert payloads(data) == written
    assert scan(data).end == len(data)
    assert not scan(data).damaged


@given(PAYLOADS.filter(len), st.data())
def test_a_torn_end_is_left_for_the_next_time(written, draw):
    data = b"".join(map(frame, written))
    last = len(frame(written[-1]))
    cut = draw.draw(st.integers(1, last))

    read = scan(data[: len(data) - cut])

    assert [bytes(each) for each in read.payloads] == written[:-1]
    assert read.end == len(data) - last
    assert not read.damaged


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.data())
def test_a_flipped_bit_costs_one_frame_and_says_where(written, draw):
    frames = list(map(frame, written))
    hit = draw.draw(st.integers(0, len(frames) - 1))
    at = draw.draw(st.integers(12, len(frames[hit]) - 1))  # in the payload; a changed length may swallow the end
    begin = sum(map(len, frames[:hit]))
    data = bytearray(b"".join(frames))
    data[begin + at] ^= 1 << draw.draw(st.integers(0, 7))

    read = scan(bytes(data))

    assert [bytes(each) for each in read.payloads] == written[:hit] + written[hit + 1 :]
    assert read.damaged == [(begin, begin + len(frames[hit]))]


def test_a_marker_inside_a_payload_is_no_frame():
    inner = frame(b"inner")

    assert payloads(frame(inner)) == [inner]
