"""``init``: a few questions, and a first config and plan."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from runner.cli.options import global_options
from runner.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.drafting import Draft, Files


@click.command("init")
@click.option("--provider", metavar="NAME", help="One of `teardown providers`.")
@click.option("--account", metavar="NAME", help="What plans will call the account.")
@click.option(
    "--set",
    "keys",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of the account: token=UNPOD_TOKEN (the variable that holds it), org_handle=acme, rate=5/s.",
)
@click.option("--target", metavar="NAME", help="The bridge or gateway of the first plan.")
@click.option("--number", "numbers", multiple=True, metavar="NUMBER", help="A number of the first plan.")
@click.option("--folder", type=click.Path(file_okay=False), default=".", help="Where to write; here by default.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is not given is as the providers have it.")
@global_options
def init_command(
    *,
    provider: str | None,
    account: str | None,
    keys: tuple[str, ...],
    target: str | None,
    numbers: tuple[str, ...],
    folder: str,
    overwrite: bool,
    yes: bool,
) -> None:
    """Write a first config.yaml and plans/first.yaml, from a few questions."""
    from runner.drafting import Files

    if not yes and not sys.stdin.isatty():
        raise InputError("nothing was written: without a terminal to ask on, init needs --yes")
    files = Files(Path(folder))
    _check_free(files, ask=not yes, overwrite=overwrite)
    given = _Given(_provider(provider, ask=not yes), account, _pairs(keys), target, numbers)
    draft = given.draft() if yes else given.asked()
    files.write(draft)
    files.write_schemas()
    _say_next(draft, files)


class _Given:
    """What the options say, and how the rest is found out."""

    def __init__(
        self, provider: str, account: str | None, keys: dict[str, str], target: str | None, numbers: tuple[str, ...]
    ) -> None:
        from runner.config import PROVIDERS
        from runner.drafting import Draft

        self._known = PROVIDERS[provider]
        self._account, self._keys, self._target = account, keys, target
        self._numbers = tuple(dict.fromkeys(numbers))
        self._sample = Draft.sample(provider, frozenset(keys))

    def draft(self) -> Draft:
        """Return the draft without a question; InputError names the option that is missing or wrong."""
        missing = [f"--set {key}=…" for key in sorted(self._known.required) if key not in self._keys]
        missing += ["--target"] if self._known.target_required and not self._target else []
        missing += [] if self._numbers else ["--number"]
        if missing:
            raise InputError(f"{self._sample.provider} also needs {', '.join(missing)}")
        return self._with_options()

    def asked(self) -> Draft:
        """Return the draft after asking for what no option says, each until the answer can be used."""
        from runner.drafting import explanation, is_secret, split_numbers

        draft, known = self._with_options(), self._known
        if not self._account:
            draft = _ask("What plans call the account", draft.account, _field(draft, "account", str))
        for key, value in draft.keys.items():
            if key not in self._keys:
                words = f"Environment variable that holds the {key}" if is_secret(key) else f"{key}: {explanation(key)}"
                default = None if key in known.required else value.removeprefix("${").removesuffix("}")
                draft = _ask(words, default, _setting(draft, key))
        if not self._target:
            default, words = (None, "") if known.target_required else ("", ", or nothing for any")
            words = f"{known.target.capitalize()} of the first plan{words}"
            draft = _ask(words, default, _field(draft, "target", lambda text: text or None))
        if not self._numbers:
            words = "Its numbers, like +14155550101, with commas between"
            draft = _ask(words, None, _field(draft, "numbers", split_numbers))
        return draft

    def _with_options(self) -> Draft:
        draft = replace(
            self._sample,
            account=self._account or self._sample.account,
            target=self._target or self._sample.target,
            numbers=self._numbers or self._sample.numbers,
        )
        for key, value in self._keys.items():
            try:
                draft = draft.with_key(key, value)
            except ValueError as error:
                raise InputError(f"--set {key}: {error}") from error
        if complaint := draft.complaint():
            raise InputError(complaint)
        return draft


def _setting(draft: Draft, key: str) -> Callable[[str], Draft]:
    return lambda text: draft.with_key(key, text)


def _field(draft: Draft, name: str, convert: Callable[[str], object]) -> Callable[[str], Draft]:
    return lambda text: replace(draft, **{name: convert(text)})


def _ask(words: str, default: str | None, made: Callable[[str], Draft]) -> Draft:
    """Ask until the draft that the answer makes is one that can be used."""
    while True:
        answer = click.prompt(words, default=default, show_default=bool(default), err=True)
        try:
            draft = made(answer)
            complaint = draft.complaint()
        except ValueError as error:
            complaint = str(error)
        if not complaint:
            return draft
        click.echo(f"  {complaint}", err=True)


def _provider(name: str | None, *, ask: bool) -> str:
    from runner.config import PROVIDERS
    from runner.providers import installed

    known = {each: spec for each, spec in installed().items() if each in PROVIDERS}
    if name is None and ask:
        for spec in known.values():
            click.echo(f"  {spec.name}: {spec.title}", err=True)
        name = click.prompt("Provider", type=click.Choice(list(known)), show_choices=False, err=True)
    if name not in known:
        raise InputError(f"--provider must be one of {', '.join(known)}")
    return name


def _pairs(words: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if not all(key and value for key, _, value in pairs):
        raise InputError("--set takes KEY=VALUE, like rate=5/s")
    return {key: value for key, _, value in pairs}


def _check_free(files: Files, *, ask: bool, overwrite: bool) -> None:
    there = files.there()
    if not there or overwrite:
        return
    names = " and ".join(map(str, there))
    if not ask:
        raise InputError(f"nothing was written over {names}; --overwrite does that, --folder writes elsewhere")
    if not click.confirm(f"Write over {names}?", err=True):
        raise InputError("nothing was written; --folder writes elsewhere")


def _say_next(draft: Draft, files: Files) -> None:
    where = "" if files.config == Path("config.yaml") else f" --config {shlex.quote(str(files.config))}"
    plan = shlex.quote(str(files.plan))
    click.echo(f"wrote {files.config} and {files.plan}; next:")
    for name in draft.variables:
        if not os.environ.get(name):
            click.echo(f"  export {name}=…")
    click.echo(f"  teardown run {plan}{where} --sandbox --yes    # rehearse: nothing but a local sandbox is touched")
    click.echo(f"  teardown check {plan}{where}                  # look what a run would do")
    click.echo(f"  teardown run {plan}{where} --limit 1          # one first, then the rest")
