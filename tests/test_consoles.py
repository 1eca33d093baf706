"""Every session that the documents show is run as it stands, and says what is shown."""

import pytest

from scripts.consoles import ROOT, pages, rehearse


@pytest.mark.usefixtures("uncovered")
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_shown_is_what_happens(page, tmp_path):
    """Commands, typed answers and second terminals of a page do what it says; `make reference` shows what changed."""
    assert rehearse(page, tmp_path) == page.read_text(encoding="utf-8")


def written(tmp_path, text):
    """Give what becomes of a page with this text."""
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    return rehearse(page, folder)


def test_output_that_changed_is_written_anew(tmp_path):
    """What a command says now takes the place of what was shown."""
    assert written(tmp_path, "```console\n$ echo new\nold\n```\n") == "```console\n$ echo new\nnew\n```\n"


def test_what_may_differ_stays_as_shown(tmp_path):
    """Times, rates, ids and what is left out are not compared; an id that a page shows stands for the real one."""
    real, shown = "20261122T025413882Z-70ad", "20260101T000000000Z-0001"
    said = f"$ echo {real} at 1 of 2.5/s; echo more; echo end\n{shown} at 0.99 of 9/s\n…\nend\n"
    text = f"```console\n{said}$ echo {shown}\n{shown}\n```\n"
    assert written(tmp_path, text) == text
    assert written(tmp_path / "folder", text.replace("end\n$", "END\n$")) != text


def test_numbers_are_compared_unless_the_page_says_otherwise(tmp_path):
    """Counts that depend on the moment are marked above their block."""
    session = "```console\n$ echo detached 3\ndetached 4\n```\n"
    assert written(tmp_path, session) != session
    marked = f"<!-- counts vary -->\n\n{session}"
    assert written(tmp_path / "folder", marked) == marked


def test_a_failure_that_the_page_hides_is_refused(tmp_path):
    """A command that fails is followed by its exit code, which the reader sees as well."""
    with pytest.raises(ValueError, match="`false` failed with 1"):
        written(tmp_path, "```console\n$ false\n```\n")
    shown = "```console\n$ false\n$ echo $?\n1\n```\n"
    assert written(tmp_path / "folder", shown) == shown


def test_folder_and_variables_are_kept_between_commands(tmp_path):
    """Commands of a page follow each other as in one terminal, and files of the page are there."""
    text = '```text title="a/b"\nhere\n```\n\n```console\n$ export WORD=x\n$ cd a\n$ echo $WORD $(cat b)\nx here\n```\n'
    assert written(tmp_path, text) == text


def test_an_answer_is_typed_when_it_is_asked_for(tmp_path):
    """A question on a terminal gets the answer that stands above the block."""
    text = '<!-- typed: y -->\n\n```console\n$ read -p "Sure? " it; test -t 1 && echo "got $it"\nSure? y\ngot y\n```\n'
    assert written(tmp_path, text) == text
