"""YAML as located text: what is read, and what is refused where."""

import pytest

from runner.document import ITEMS, Findings, Mapping, Scalar, Sequence, Taken, compose, decode, quoted, read
from runner.document.schema import plain, typed
from runner.errors import InputError


def parse(text):
    """The root of ``text``, after making sure that nothing was wrong with it."""
    findings = Findings()
    root = compose(text, findings.page("x.yaml"))
    findings.check()
    return root


def problems(text):
    """Every problem of ``text`` as (place, message)."""
    with pytest.raises(InputError) as caught:
        parse(text)
    return [(problem.place, problem.message) for problem in caught.value.problems]


def test_scalars_stay_as_they_are_written():
    """No scalar turns into a number, a date or a truth value."""
    root = parse("[+14155550101, NO, 012, 1e3, 2026-01-01, yes, '~', \"null\"]")
    assert plain(root) == ["+14155550101", "NO", "012", "1e3", "2026-01-01", "yes", "~", "null"]


def test_blank_and_null_are_nothing():
    """A blank value and an unquoted null are both None."""
    assert plain(parse("{a: , b: ~, c: null}")) == {"a": None, "b": None, "c": None}


def test_nodes_know_their_places():
    """Lines and columns count from 1, and point at the value."""
    root = parse("\ufeffa: 1\nb:\n  - x\n  - {c: y}\n".removeprefix("\ufeff"))
    items = root.get("b")
    assert isinstance(root, Mapping)
    assert isinstance(items, Sequence)
    assert (root.line, root.column) == (1, 1)
    assert (items.items[0].line, items.items[0].column) == (3, 5)
    assert (root.key("b").line, root.key("b").column) == (2, 1)
    assert root.get("nothing") is None
    assert root.key("nothing") is None


def test_aliases_and_simple_merges_are_followed():
    """An alias is what its anchor is; merged keys give way to those that are written out."""
    root = parse("base: &b {rate: 1, name: x}\none: {<<: *b, name: y}\ntwo: *b\nthree: &s z\nfour: *s\n")
    one = {"name": "y", "rate": "1"}
    base = {"rate": "1", "name": "x"}
    assert plain(root) == {"base": base, "one": one, "two": base, "three": "z", "four": "z"}


def test_typed_turns_only_plain_words():
    """Free-form values become whole numbers and truth values where they stand without quotes."""
    root = parse("{a: 42, b: '42', c: true, d: [false, 012, -7, +1], e: , f: {g: 1.5}}")
    assert typed(root) == {
        "a": 42,
        "b": "42",
        "c": True,
        "d": [False, "012", -7, "+1"],
        "e": None,
        "f": {"g": "1.5"},
    }


def test_a_long_list_is_used_up_while_it_is_read():
    """A taker gets the items of the lists at its path one by one, and nothing but what it makes of them is kept."""
    taken = []

    def take(items):
        return [taken.append(plain(item)) or len(taken) for item in items]

    text = "g:\n- {n: [a, [b], {n: [c]}]}\n- {n: &x [d]}\n- &y {n: [e]}\n- {m: *x, n: [f]}\nn: [g]\n"
    root = compose(text, Findings().page("x.yaml"), {("g", ITEMS, "n"): take})
    assert taken == ["a", ["b"], {"n": ["c"]}, "f"]
    lists = [group.get("n") for group in root.get("g").items]
    assert [each.value if isinstance(each, Taken) else plain(each) for each in lists] == [[1, 2, 3], ["d"], ["e"], [4]]
    assert (lists[0].line, lists[0].column) == (2, 7)
    assert plain(root.get("n")) == ["g"]


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_text_longer_than_the_parser_s_buffer_arrives_whole(character):
    """The parser reads in pieces; no character is lost or cut between two of them."""
    text = "".join(f"- {character * (index % 7)}{index}\n" for index in range(20_000))
    assert plain(parse(text)) == [f"{character * (index % 7)}{index}" for index in range(20_000)]


@pytest.mark.parametrize(
    ("text", "place", "mend"),
    [
        ("", "1:1", "is empty"),
        ("# only a comment\n", "1:1", "is empty"),
        ("a: 1\nb: 2\na: 3\n", "3:1", "stands twice, first at x.yaml:1:1; keep one"),
        ("a: !!python/object:os.system x\n", "1:4", "are not supported; remove it"),
        ("a: !!str 1\n", "1:4", "are not supported; remove it"),
        ("? [a]\n: b\n", "1:3", "a key must be a plain word"),
        ("~: b\n", "1:1", "a key must be a plain word"),
        ("--- a\n--- b\n", "2:1", "keep one document in a file"),
        ("a: *x\n", "1:4", "has no anchor before it; write the value out"),
        ("a: &x [*x]\n", "1:8", "stands inside its own anchor"),
        ("<<: [a]\n", "1:1", "`<<` takes one mapping"),
        ("[" * 40 + "]" * 40, "1:33", "more than 32 levels deep; flatten it"),
        ("a: 'x\n", "1:4", "add the closing quote"),
        ("a: [1, 2\nb: 3\n", "2:2", "add `,` or `]`"),
        ("a: {b: 1\nc: 3\n", "2:2", "add `,` or `}`"),
        ("a: b: c\n", "1:5", "quote a value that holds `: `"),
        ("a:\n\t- b\n", "2:1", "indent with spaces"),
        ("a: @x\n", "1:4", "put it in quotes"),
        ("a: *\n", "1:5", "put it in quotes"),
        ('a: "\\q"\n', "1:5", "use single quotes"),
        ("a: 1\n: :\n - b\n", "2:1", "check"),
        ("%YAML 9.9\n---\na\n", "1:1", "this is not valid YAML"),
        ("a: 1\nb: \x07\n", "2:4", "'\\x07' is not allowed here; remove it"),
        ("a: \x00\n", "1:4", "remove it"),
    ],
)
def test_what_cannot_be_read_is_located(text, place, mend):
    """Each fault of the YAML itself is one sentence with its place and the mend."""
    [(found, message)] = problems(text)
    assert found == f"x.yaml:{place}"
    assert mend in message
    assert "\n" not in message


def test_problems_are_collected_in_order():
    """Faults that can be gone past are all reported, together with the one that cannot."""
    found = problems("a: 1\na: 2\nb: !t x\n? [k]\n: v\nc: 'x\n")
    assert [place for place, _ in found] == ["x.yaml:2:1", "x.yaml:3:4", "x.yaml:4:3", "x.yaml:6:4"]


def test_alias_bombs_are_refused():
    """Aliases may not stand for more values than a person would write."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    [(place, message)] = problems("\n".join(lines))
    assert place.startswith("x.yaml:6:")
    assert message.endswith("write them out")


def test_merge_of_a_merge_keeps_each_key_once():
    """A mapping that merges one that merges has no key twice."""
    root = parse("a: &a {x: 1}\nb: &b {<<: *a, x: 2, y: 3}\nc: {<<: *b, y: 4}\n")
    assert plain(root.get("c")) == {"y": "4", "x": "2"}


def test_reading_is_bounded(tmp_path):
    """A file larger than its limit is refused, and one at the limit is read whole."""
    path = tmp_path / "big"
    path.write_bytes(b"x" * 10)
    assert read(path, 10) == b"x" * 10
    with pytest.raises(InputError, match="larger than 9 bytes"):
        read(path, 9)


def test_unreadable_files_say_why(tmp_path):
    """A missing file, a folder, a file without permission and an impossible name are each one sentence."""
    cases = {
        tmp_path / "none": "does not exist; check the path",
        tmp_path: "is a folder; name a file in it",
        tmp_path / "none" / "\x00": "cannot be read; check the path",
        tmp_path / ("x" * 300): "cannot be read (file name too long)",
    }
    for path, sentence in cases.items():
        with pytest.raises(InputError) as caught:
            read(path, 10)
        assert caught.value.problems[0].place == str(path)
        assert sentence in caught.value.problems[0].message


def test_unreadable_references_stand_at_their_place(tmp_path):
    """Where a file refers to another, the problem stands at the reference and names the other."""
    with pytest.raises(InputError) as caught:
        read(tmp_path / "none", 10, place="plan.yaml:3:4")
    assert str(caught.value) == f"plan.yaml:3:4: {tmp_path}/none does not exist; check the path"


def test_text_must_be_utf8():
    """A byte order mark is dropped; a byte that is not UTF-8 is located."""
    assert decode(b"\xef\xbb\xbfa", "f") == "a"
    with pytest.raises(InputError, match=r"^f:2:3: byte 0xff here is not UTF-8; save the file as UTF-8$"):
        decode(b"a\nbc\xff", "f")


def test_quoted_text_is_short_and_harmless():
    """What a sentence repeats is shortened and shows no control characters."""
    assert quoted("\x1b[31m") == r"'\x1b[31m'"
    assert len(quoted("x" * 1000)) < 70


def test_spots_without_a_line_are_the_file_alone():
    """A problem of the file as a whole has the file's name as its place."""
    page = Findings().page("config")
    assert page.place(Scalar(None, 0, 0)) == "config"
