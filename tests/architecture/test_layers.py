"""What keeps the system whole (design.md §3, §4), as tests: layers, forbidden constructs, no machine of ours in a file."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Where Sail and Apache Spark silently disagree, or Sail errs; and what Spark Connect does not have.
FORBIDDEN_IN_JOBS = (
    r"\brdd\b", r"_jvm\b", r"\bsparkContext\b", r"\bavg\s*\(", r"\bmean\s*\(", r"approx_", r"weekday\s*\(", r"intersect\s+all",
    r"intersectAll", r"min_by", r"max_by", r"collect_list", r"\bbround\b", r"\bobserve\s*\(", r"pivot", r"partitionOverwriteMode",
    r"(?<![a-zA-Z0-9_])hash\s*\(",
)  # fmt: skip
# Somebody's own folder, in any of its usual spellings.
HOME_PATH = re.compile(r"(?<![\w.])/(?:" + "|".join(["ho" + "me", "ro" + "ot", "Us" + "ers", "wo" + "rk"]) + r")/[\w.]")
DAG_IMPORTS = ("airflow", "console.airflow")
STDLIB_OF_DAGS = frozenset({"__future__", "datetime"})


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def python_files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder}/ has no Python files: this test looks at the wrong place"
    return found


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "setup.cfg", "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 kept, 0 broken" in result.stdout


def _constructs(source: str) -> Iterator[str]:
    for pattern in FORBIDDEN_IN_JOBS:
        for found in re.finditer(pattern, source, re.IGNORECASE):
            line = source.count("\n", 0, found.start()) + 1
            yield f"line {line}: {found[0]}"


@pytest.mark.parametrize("path", python_files("jobs"), ids=lambda p: str(p.relative_to(ROOT)))
def test_jobs_use_nothing_on_which_the_engines_disagree(path: Path) -> None:
    assert list(_constructs(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "df.rdd.map(f)", "spark._jvm.x", "spark.sparkContext", "select AVG(x)", "F.avg (x)", "approx_count_distinct(x)",
        "weekday(d)", "select 1 INTERSECT  ALL select 2", "min_by(a, b)", "max_by(a, b)", "collect_list(a)", "bround(a)",
        "df.observe (o)", ".pivot(x)", "spark.sql.sources.partitionOverwriteMode", "select hash(a)", "F.hash(a)",
    ],
)  # fmt: skip
def test_each_forbidden_construct_would_be_seen(text: str) -> None:
    assert list(_constructs(text))


@pytest.mark.parametrize("text", ["row_hash(cells)", "xxhash64(a)", "content_hash", "inputs_digest(context)", "average(x)"])
def test_what_is_allowed_is_not_refused(text: str) -> None:
    assert list(_constructs(text)) == []


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively: a DAG folder is no package"
            yield str(node.module)


@pytest.mark.parametrize("path", python_files("dags"), ids=lambda p: p.name)
def test_dags_import_only_airflow_and_our_airflow_console(path: Path) -> None:
    for name in _imports(path):
        ours = any(name == allowed or name.startswith(f"{allowed}.") for allowed in DAG_IMPORTS)
        assert ours or name in STDLIB_OF_DAGS, name


def test_the_dag_folder_is_no_package() -> None:
    assert not (ROOT / "dags" / "__init__.py").exists()
    assert not (ROOT / "docker" / "__init__.py").exists()


@pytest.mark.parametrize("folder", ["custody", "schemas", "jobs", "reports", "simulator"])
def test_no_figure_comes_from_the_wall_clock_or_from_chance(folder: str) -> None:
    for path in python_files(folder):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {
                    "datetime.now",
                    "date.today",
                    "datetime.utcnow",
                    "time.time",
                    "uuid.uuid4",
                    "random.random",
                }, f"{path.relative_to(ROOT)}:{node.lineno} calls {called}"
                assert called not in {"Random", "random.Random"} or node.args, (
                    f"{path.relative_to(ROOT)}:{node.lineno} has no seed"
                )


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    files = tracked() or sorted(p for f in ("custody", "jobs", "tests") for p in (ROOT / f).rglob("*.py"))
    wrong = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not text
        wrong += [f"{path.relative_to(ROOT)}: {found[0]}" for found in HOME_PATH.finditer(text)]
    assert wrong == []


def _public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions and methods that others call: not private, not of a private class, not an override of a port."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield inner


def _says_nothing_more(function: ast.FunctionDef) -> bool:
    """One statement long: its name, its types and its line say it all (also a port's ``...``)."""
    return len(function.body) == 1


@pytest.mark.parametrize("path", python_files("custody"), ids=lambda p: str(p.relative_to(ROOT)))
def test_public_functions_of_the_domain_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [
        f"{f.name} (line {f.lineno})" for f in _public_functions(tree) if not ast.get_docstring(f) and not _says_nothing_more(f)
    ]
    assert silent == []
    if path.name != "__init__.py":
        assert ast.get_docstring(tree)
