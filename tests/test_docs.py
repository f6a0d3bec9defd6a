"""The pages people read against the project: every route, setting, dependency and verb is where they look for it."""

import hashlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from PIL import ExifTags, Image

from service.settings import Settings, describe, table
from tests.api.contract import OPERATIONS, parameters_of, resolved, typed_options
from tests.benchmarks.page import put, tables
from tests.documents.pages import ALL_PAGES, read
from training.cli import main as cli

ROOT = Path(__file__).resolve().parent.parent
# What has changed may speak of what is no more.
TEXTS = {page: read(page) for page in ALL_PAGES if page != "CHANGELOG.md"}
EVERYTHING = "\n".join(TEXTS.values())
README, ARCHITECTURE, CONTRIBUTING = (TEXTS[name] for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"))
CALLS, NETWORKS, SPEED, BATCH = (
    TEXTS[f"{folder}/README.md"] for folder in ("service/api", "models", "tests/benchmarks", "service/batch")
)
SETTINGS = TEXTS["deploy/settings.md"]
WORDS = 1500
# The SHA-256 of the text at https://www.apache.org/licenses/LICENSE-2.0.txt.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
# Files that pages load; no one calls them by hand.
ASSETS = {"/docs/<path:asset>", "/web/<path:name>"}


def commands(text):
    """Every curl command of a page, its lines joined."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip().startswith("curl ")]


def split(command):
    """(method, url) of a curl command."""
    words = shlex.split(command)
    (url,) = [word for word in words if word.startswith("http")]
    sends = {"--data-binary", "-F", "--form", "-d", "--data", "--json"} & set(words)
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if sends else "GET"
    return method, urlsplit(url)


def test_every_route_is_in_the_table_of_calls(app):
    rules = {re.sub(r"<\w+:(\w+)>", r"<\1>", rule.rule) for rule in app.url_map.iter_rules() if rule.rule not in ASSETS}
    assert sorted(rule for rule in rules if f"{rule}`" not in CALLS) == []


def test_every_call_that_a_page_names_is_a_route(app):
    rules = {
        (method, re.sub(r"<\w+:(\w+)>", r"<\1>", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    }
    # An example of a call that there is not yet, in the recipe for one.
    named = set(re.findall(r"`(GET|POST|PUT|DELETE) (/\S*?)`", EVERYTHING)) - {("GET", "/v1/labels")}
    assert named
    assert named - rules == set()


def test_the_readme_has_a_command_for_every_main_call():
    paths = {split(command)[1].path for command in commands(README)}
    assert paths >= {path for path, method in OPERATIONS if path.startswith("/v1/") and method == "post"}


@pytest.mark.parametrize("command", commands(EVERYTHING))
def test_every_command_names_a_route_and_posts_a_file_that_there_is(app, command):
    method, url = split(command)
    assert url.netloc == "127.0.0.1:8000"
    app.url_map.bind("127.0.0.1").match(url.path, method)
    for name in re.findall(r"@([\w./-]+)", command):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("command", [each for each in commands(EVERYTHING) if "?" in each or " -F " in each])
def test_every_command_gives_options_that_the_call_takes(command):
    method, url = split(command)
    fields = re.findall(r"-F '?(\w+)=", command)
    options = [pair.partition("=")[0] for pair in url.query.split("&") if pair]
    declared = set(parameters_of(url.path, method.lower(), "query"))
    assert set(options) | set(fields) <= declared | {"image"}


def options_of_calls():
    """The options of each call that takes pictures, as the README's table has them."""
    (rows,) = re.findall(r"^\| call \| options \|\n\|---\|---\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    cells = [row.strip("| ").split(" | ") for row in rows.splitlines()]
    named = {call: set(re.findall(r"`(\w+)`", options)) for call, options in cells}
    common = named.pop("every call below")
    return {call.strip("`"): common | options for call, options in named.items()}


def test_the_readme_has_the_options_of_every_call_on_pictures():
    declared = {
        path.removeprefix("/v1/"): set(parameters_of(path, method, "query"))
        for path, method in OPERATIONS
        if path.startswith("/v1/") and method == "post"
    }
    assert options_of_calls() == declared


def test_the_values_of_options_in_the_readme_are_those_of_the_contract():
    (rows,) = re.findall(r"^\| option \| values \|\n\|---\|---\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    cells = [row.strip("| ").split(" | ") for row in rows.splitlines()]
    options = {}
    for path, method in OPERATIONS:
        if path.startswith("/v1/") and method == "post":
            for name, schema in typed_options(path, method).items():
                options.setdefault(name, set()).update(resolved(schema).get("enum", ()))
    named = {name.strip("`"): set(re.findall(r"`([\w-]+)`", values)) for name, values in cells}
    assert {name: values for name, values in named.items() if values - options[name] - options.keys()} == {}
    missing = {name: options[name] - values for name, values in named.items()}
    assert {name: values for name, values in missing.items() if values} == {}


def test_the_readme_is_short():
    assert len(README.split()) < WORDS


def test_the_readme_states_limits_as_they_are():
    text = " ".join(README.split())
    assert f"Several pictures** go into one request, {Settings().max_batch} at most." in text


def test_the_picture_of_the_page_shows_the_network_that_ships():
    path = ROOT / "tests" / "web" / "playground.webp"
    with Image.open(path) as picture:
        shown = picture.getexif()[ExifTags.Base.ImageDescription]
    stale = "python -m tests.web.screenshot takes it again"
    assert shown == PASSPORTS["digits"]["files"]["model.onnx"]["sha256"], stale
    assert path.stat().st_size < 150_000


def test_there_is_one_table_of_settings():
    assert table() in SETTINGS
    assert [page for page, text in TEXTS.items() if "| variable | default |" in text] == ["deploy/settings.md"]


@pytest.mark.parametrize(("variable", "default", "meaning"), describe())
def test_every_setting_is_in_the_table_with_its_default(variable, default, meaning):
    assert f"| `{variable}` | {default} | {meaning} |" in SETTINGS


def test_the_pages_name_no_setting_that_there_is_not():
    # FILTERSCOPE_MNIST and FILTERSCOPE_PROOF are for training and tests.
    known = {variable for variable, *_ in describe()} | {"FILTERSCOPE_MNIST", "FILTERSCOPE_PROOF"}
    assert set(re.findall(r"FILTERSCOPE_[A-Z_]*[A-Z]", EVERYTHING)) <= known


def dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]]


@pytest.mark.parametrize("package", dependencies())
def test_every_dependency_has_a_reason(package):
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", ARCHITECTURE, re.MULTILINE)
    assert [why for names, why in rows if package in re.split(r",\s*", names.strip()) and why.strip()]


def test_every_dependency_is_pinned_with_its_hash():
    pinned = (ROOT / "deploy" / "requirements.txt").read_text(encoding="utf-8").lower()
    for package in dependencies():
        name = re.escape(package.lower()).replace("_", "[-_]").replace(r"\-", "[-_]")
        assert re.search(rf"^{name}==\S+.*\\\n\s+--hash=sha256:", pinned, re.MULTILINE), package


def test_the_licence_is_the_standard_text_whole():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    (owner,) = re.findall(r"^   Copyright (the .* authors)$", text, re.MULTILINE)
    assert owner == "the Filterscope authors"
    standard = text.replace(f"Copyright {owner}", "Copyright [yyyy] [name of copyright owner]")
    assert hashlib.sha256(standard.encode()).hexdigest() == APACHE_2


def test_everything_that_names_the_licence_names_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    contract = yaml.safe_load((ROOT / "service" / "api" / "openapi.yaml").read_text(encoding="utf-8"))
    image = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert project["license-files"] == ["LICENSE"]
    named = [
        project["license"],
        contract["info"]["license"]["identifier"],
        *re.findall(r'org\.opencontainers\.image\.licenses="(.*)"', image),
        *re.findall(r"The licence is (\S+),", README),
    ]
    assert named == ["Apache-2.0"] * 4


def test_the_cpu_of_a_request_is_stated_in_one_place():
    assert re.findall(r"^\| CPU of it \| \d+ us \| FastAPI", SPEED, re.MULTILINE)
    elsewhere = EVERYTHING.replace(SPEED, "")
    # What nginx takes of each request is its own figure.
    assert re.findall(r"\d+ us of CPU.*", elsewhere.replace("85 to 100 us of CPU per request beside", "")) == []


def figures(text):
    """
    What was measured, as a page states it: numbers of three digits and more with a unit, tables of them too.

    >>> sorted(figures("read 99.69 % in 135 us, 70 % of it, 256 pictures, or 0.024 CPU hours"))
    ['135 us', '99.69 %']
    """
    units = r"%|us\b|ms\b|s\b|MB\b|pictures a second|CPU\s+seconds"
    found = re.findall(rf"(?<![\w.])(\d[\d,]*(?:\.\d+)?) ({units})", text)
    return {f"{number} {unit}" for number, unit in found if len(re.sub(r"\D", "", number).lstrip("0")) >= 3}


def test_a_figure_that_was_measured_is_stated_on_one_page():
    where = {}
    for page, text in TEXTS.items():
        for figure in figures(text):
            where.setdefault(figure, []).append(page)
    assert where
    assert {figure: pages for figure, pages in where.items() if len(pages) > 1} == {}


def test_the_benchmarks_put_their_tables_into_their_page():
    assert tables(SPEED)
    for part, lines in tables(SPEED).items():
        assert put(SPEED, part, lines) == SPEED
        assert tables(put(SPEED, part, ["new"])) == tables(SPEED) | {part: ["new"]}
    assert tables(put(SPEED, "another", ["new"])) == tables(SPEED) | {"another": ["new"]}


PASSPORTS = {
    path.parts[-3]: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "models").glob("*/*/passport.json"))
}


@pytest.mark.parametrize("model", PASSPORTS)
def test_every_model_has_the_figures_of_its_passport(model):
    parameters, accuracy = f"{PASSPORTS[model]['parameters']:,}", f"{100 * PASSPORTS[model]['accuracy']['test']:.2f}"
    assert re.search(rf"^\| `{model}`[^|]*\| {parameters} \| {accuracy} % \|$", NETWORKS, re.MULTILINE)


@pytest.mark.parametrize("model", PASSPORTS)
def test_the_readme_names_every_model(model):
    assert f"`{model}`" in README or f"model={model}`" in README


def test_the_means_over_seeds_are_those_of_the_passports():
    text = " ".join(NETWORKS.split())
    means = {model: f"{100 * passport['accuracy']['test_mean_of_seeds']:.2f}" for model, passport in PASSPORTS.items()}
    told = {
        "digits": "The five read {} to {} % of the test digits, {} % on average.",
        "tiny": "The five seeds of `tiny` read {} to {} % of the test digits, {} % on average",
        "lecture": "The five of `lecture` read {} to {} %, {} % on average",
    }
    for model, sentence in told.items():
        tests = [f"{100 * row['test']:.2f}" for row in PASSPORTS[model]["accuracy"]["seeds"]]
        assert len(tests) == 5
        assert sentence.format(min(tests), max(tests), means[model]) in text


# A row of the table of pictures that are not digits, and what a passport calls it.
STRANGERS = {"letters unlike digits": "letters", "clothes": "clothes", "scribbles of one stroke": "scribbles",
             "photograph-like textures": "textures", "noise": "noise"}  # fmt: skip


@pytest.mark.parametrize(("row", "name"), STRANGERS.items())
def test_how_well_other_pictures_are_told_apart_is_what_the_passports_say(row, name):
    (head,) = re.findall(r"^\| \| (.* passes) \|$", NETWORKS, re.MULTILINE)
    (cells,) = re.findall(rf"^\| {row} \| (.*) \|$", NETWORKS, re.MULTILINE)
    printed = dict(zip(head.split(" | ")[::2], cells.split(" | ")[::2], strict=True))
    areas = {f"`{model}`": passport["novelty"]["area_under_roc"][name] for model, passport in PASSPORTS.items()}
    assert printed == {model: f"{area:.3f}" for model, area in areas.items()}


def test_what_a_million_pictures_cost_is_stated_in_one_place_and_adds_up():
    cost = r"a million are (\d+) CPU\s+seconds, ([\d.]+) CPU hours"
    ((seconds, hours),) = re.findall(cost, EVERYTHING)
    assert re.search(cost, BATCH)
    assert f"{seconds} us a picture" in BATCH
    assert float(hours) == round(int(seconds) / 3600, 3)


def test_the_page_of_training_has_every_command():
    rows = re.findall(r"^\| `(\w+)` \|", TEXTS["training/README.md"], re.MULTILINE)
    assert sorted(rows) == sorted(cli.commands)


def verbs():
    return re.findall(r"^([a-z-]+):.*?##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("verb", sorted(set(verbs()) - {"help"}))
def test_every_verb_is_explained(verb):
    assert f"`make {verb}`" in CONTRIBUTING


def test_the_pages_name_no_verb_that_there_is_not():
    named = re.findall(r"(?:`|^)make ([a-z-]+)", EVERYTHING, re.MULTILINE)
    assert set(named) <= set(verbs())
