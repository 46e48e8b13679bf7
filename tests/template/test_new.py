"""`delphis-driver new`: a project that runs at once, or a clear error and nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from delphis.sdk.command import main

SCRIPTS = Path(sys.executable).parent


def new(name: str, *words: str, vendor: str = "acme", model: str = "box 3000") -> int:
    with pytest.raises(SystemExit) as ended:
        main(["new", name, "--vendor", vendor, "--model", model, *words])
    return int(ended.value.code or 0)


def in_project(folder: Path, *command: str, path: str = ".:src") -> str:
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(SCRIPTS / command[0]), *command[1:]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_its_tests_pass_uninstalled(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "box"
    assert new("acme-box", "--dir", str(folder)) == 0
    # All of them are run by the test of docs/tutorial.md; here those that don't wait for deadlines.
    quick = "test_driver or identity or storage or access.wrong or lists"
    said = in_project(folder, "python", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", quick)
    assert "test_conformance[lists.complete] PASSED" in said
    assert "test_conformance[access.wrong-credentials] PASSED" in said
    assert "test_all_pages_are_read PASSED" in said
    assert sorted(path.name for path in folder.parent.iterdir()) == ["box"]


@pytest.mark.parametrize("name", ["acme-box", "zeta.Box_2-driver", "Storage"])
def test_it_is_clean(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new(name, model="Unity XT/480 (all-flash)") == 0
    in_project(tmp_path / name, "ruff", "check", "--no-cache")
    in_project(tmp_path / name, "ruff", "format", "--check", "--no-cache")


def test_what_it_says_of_the_driver(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    assert new("Acme.Box", "--dir", str(folder), vendor="Acmé&Co", model="it's (a) box") == 0
    manifest = tomllib.loads((folder / "driver.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["serves"] == [{"vendor": "Acmé&Co", "model": "it's (a) box"}]
    assert manifest["host"] == {"class": "acme_box.driver:AcmeBoxDriver"}
    assert project["name"] == "acme-box"
    assert project["entry-points"]["delphis.drivers"] == {"Acmé&Co it's (a) box": manifest["host"]["class"]}
    assert "«" not in "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    assert {"Dockerfile", "README.md", ".gitignore", ".dockerignore"} <= {path.name for path in folder.iterdir()}
    # Files of somebody whose umask is 077 are copied as they are, and another user runs the driver.
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert dockerfile.index("COPY . .") < dockerfile.index("chmod -R a+rX .") < dockerfile.index("USER 10001")


def test_the_folder_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new("acme-box", "--dir", ".") == 0
    assert Path("driver.toml").is_file()
    assert not list(tmp_path.glob(".delphis*"))


@pytest.mark.parametrize(
    ("name", "vendor", "model", "said"),
    [
        ("", "acme", "box", "must begin with a letter"),
        ("3par", "acme", "box", "must begin with a letter"),
        ("../box", "acme", "box", "must begin with a letter"),
        ("box-", "acme", "box", "end with a letter or digit"),
        ("bóx", "acme", "box", "of ASCII only"),
        ("x" * 61, "acme", "box", "at most 60"),
        ("json", "acme", "box", "the name of something else. Try json-driver."),
        ("requests", "acme", "box", "the name of something else"),
        ("import", "acme", "box", "the name of something else"),
        ("box", "", "box", "The vendor must"),
        ("box", "ac me", "box", "The vendor must"),
        ("box", "acme\n", "box", r"'acme\n' does not"),
        ("box", "[acme", "box", "The vendor must"),
        ("box", "acme", "", "The model must"),
        ("box", "acme", "box ", "The model must"),
        ("box", "acme", "a  box", "single spaces inside"),
        ("box", "acme", "a=box", "The model must"),
        ("box", "acme", 'a "box"', "The model must"),
        ("box", "acme", "box\x00", "The model must"),
        ("box", "acme", "b" * 101, "at most 100"),
    ],
    ids=str,
)
def test_names_that_can_not_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, vendor: str, model: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert new(name, "--dir", "deep/box", vendor=vendor, model=model) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    assert new("box", "--dir", str(tmp_path)) == 2
    assert f"The folder {tmp_path} is not empty" in capsys.readouterr().err
    assert new("box", "--dir", str(kept)) == 2
    assert f"{kept} is a file" in capsys.readouterr().err
    assert new("box", "--dir", str(kept / "below" / "it")) == 2
    assert "can't be written: " in capsys.readouterr().err
    assert [(path, path.read_text()) for path in tmp_path.rglob("*")] == [(kept, "mine")]


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    write_text = Path.write_text

    def full(path: Path, text: str, encoding: str | None = None) -> int:
        if path.name == "driver.toml":
            raise OSError(28, "No space left on device")
        return write_text(path, text, encoding)

    if there:
        (tmp_path / "above").mkdir()
        (tmp_path / "above/box").mkdir()
    monkeypatch.setattr(Path, "write_text", full)
    assert new("box", "--dir", str(tmp_path / "above/box")) == 2
    assert "can't be written: No space left on device" in capsys.readouterr().err
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == (
        ["above", "above/box"] if there else []
    )


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["new", "box", "--vendor", "acme"])
    assert ended.value.code == 2
    assert "required: --model" in capsys.readouterr().err
