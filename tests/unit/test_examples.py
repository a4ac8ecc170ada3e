"""The examples in docstrings run, and no public name lacks one."""

import doctest
import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest
from conftest import HOME

COMPLETE = ("features", "clustering", "evaluation", "models")
ROOMS = (*COMPLETE, "dicom", "report")


def modules_of(*rooms: str) -> list[ModuleType]:
    packages = [importlib.import_module(f"dicomae.{room}") for room in rooms]
    return [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for package in packages
        for found in pkgutil.iter_modules(package.__path__)
    ]


def examples_of(*rooms: str) -> list[doctest.DocTest]:
    """Examples of the rooms' docstrings; as everywhere, an example knows the names of its module."""
    finder = doctest.DocTestFinder()
    found = [one for module in modules_of(*rooms) for one in finder.find(module)]
    return [one for one in found if one.examples]


def public_names(module: ModuleType) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value)))
    }


def names_without_example(module: ModuleType) -> list[str]:
    """Public names that neither have an example of their own nor stand in one of their module."""
    tests = doctest.DocTestFinder().find(module)
    shown = "".join(example.source for test in tests for example in test.examples)
    return [
        name
        for name, value in public_names(module).items()
        if ">>>" not in (value.__doc__ or "") and not re.search(rf"\b{name}\b", shown)
    ]


@pytest.mark.parametrize("example", examples_of(*ROOMS), ids=lambda example: example.name)
def test_an_example_gives_what_it_says(example: doctest.DocTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOME)  # some read conf/default.toml
    said: list[str] = []
    found = doctest.DocTestRunner().run(example, out=said.append, clear_globs=False)
    assert found.attempted > 0
    assert found.failed == 0, "".join(said)


@pytest.mark.parametrize("module", modules_of(*COMPLETE), ids=lambda module: module.__name__)
def test_every_public_function_and_class_has_an_example(module: ModuleType) -> None:
    missing = names_without_example(module)
    assert not missing, f"no '>>>' in the docstrings of {', '.join(missing)} ({module.__name__})"
