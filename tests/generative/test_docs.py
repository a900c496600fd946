"""The map of the families says what the registry knows; the pages' programs run and their links lead to files."""

import inspect
from pathlib import Path

import pytest

from rlsuite.generative import capabilities, model_class, model_names
from rlsuite.generative.capabilities import ALL
from tests.test_pages import LINK, PROGRAM, run

DOCS = Path(__file__).parents[2] / "docs" / "generative"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
PAGE_OF = {"linear": "latent"}  # linear and latent models share one


def row(name: str) -> str:
    """The line of the map that says what ``name`` can do."""
    model = model_class(name)
    family = model.__module__.split(".")[2]
    arguments = inspect.signature(model.__init__).parameters
    condition = arguments.get("condition_shape")
    conditional = "" if condition is None else "needs" if condition.default is inspect.Parameter.empty else "takes"
    has = capabilities(model)
    ticks = " | ".join("✓" if capability.__name__ in has else "" for capability in ALL)
    return f"| [`{name}`]({PAGE_OF.get(family, family)}.md) | {family} | {conditional} | {ticks} |"


def test_the_map_is_what_the_registry_says() -> None:
    lines = (DOCS / "index.md").read_text().splitlines()
    head = f"| model | family | condition | {' | '.join(capability.__name__ for capability in ALL)} |"
    start = lines.index(head) + 2
    rows = lines[start : lines.index("", start)]
    families = ("linear", "latent", "autoregressive", "flows", "energy", "diffusion")
    names = [name for name in model_names() if model_class(name).__module__.startswith("rlsuite.generative.")]
    names.sort(key=lambda name: (families.index(model_class(name).__module__.split(".")[2]), name))
    assert rows == [row(name) for name in names]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    assert [link for link in LINK.findall((DOCS / page).read_text()) if not (DOCS / link).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if PROGRAM.search((DOCS / page).read_text())])
def test_programs_run(page: str, tmp_path: Path) -> None:
    for program in PROGRAM.findall((DOCS / page).read_text()):
        run(["-W", "error", "-c", program], tmp_path)


def test_every_family_has_a_page_with_a_program() -> None:
    for page in ("latent", "autoregressive", "flows", "energy", "diffusion"):
        assert PROGRAM.search((DOCS / f"{page}.md").read_text()), page
