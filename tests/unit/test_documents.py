"""The documents say what is true today, as far as a program can tell."""

import re
from pathlib import Path

import pytest

from mixture.config import parse
from mixture.reference import SECTIONS, markdown

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_the_one_that_the_code_writes():
    assert (ROOT / "docs" / "configuration.md").read_text() == markdown()


def test_every_field_says_what_it_means():
    silent = [
        f"{title}.{name}"
        for title, model in SECTIONS
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert silent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_holds_marks_of_a_merge(page):
    assert re.findall(r"(?m)^(?:<{7} .*|={7}|>{7} .*)$", page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_exist(page):
    named = re.findall(r"`((?:mixture|deployments|actors|commands|benchmarks|tests)/[\w./]*)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_benchmarks_that_are_named_exist(page):
    named = re.findall(r"python -m ([\w.]+)", page.read_text())
    assert [name for name in named if not (ROOT / (name.replace(".", "/") + ".py")).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_that_are_shown_are_valid(page):
    import yaml

    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        data = yaml.safe_load(block)
        if "discover" not in data:
            data["discover"] = True  # the experts that an excerpt names may stand elsewhere
        parse(data, {})
