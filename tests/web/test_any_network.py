"""The page for adopted networks: any size, colour and labels, and what it says where a view does not apply."""

# The page writes a times sign, and so do these tests.
# ruff: noqa: RUF001

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from service.adopt.adoption import make_model
from service.adopt.asked import PRESETS, AdoptionOptions, Numbers
from service.settings import SHIPPED_MODELS
from tests.adopt import traits
from tests.serving import serving
from tests.web.browsing import PROOF, SEVEN, ask, in_proof, needs_chromium, percent, some, written

pytestmark = needs_chromium

# Long, and markup if it was taken for such.
LONG = tuple(f"<b>the long name of a class</b> {'x' * 40} {index}" for index in range(traits.CLASSES))
CLOTHES = ("ankle boot", "T-shirt", "coat", "bag")


# What a person cannot read: text that is cut, or that one has to scroll sideways for. The row of tabs says so
# itself, and maps that are too many or too large are scrolled; what is chosen from a list may stand elsewhere in whole.
CUT = """() => {
    const found = [];
    const pen = document.createElement('canvas').getContext('2d');
    for (const part of document.body.querySelectorAll('*')) {
        if (!part.checkVisibility({visibilityProperty: true})) continue;
        if (part.closest('.unseen, #tabs, .maps, .scroll:has(canvas), .skip')) continue;
        const name = `${part.tagName} ${part.id || part.className} ${part.textContent.slice(0, 30)}`;
        const style = getComputedStyle(part);
        const {left, right, width} = part.getBoundingClientRect();
        if (width && (left < -1 || right > innerWidth + 1)) found.push(['outside', name, left, right]);
        const [isClipped, isClamped] = [style.overflowX !== 'visible', style.webkitLineClamp !== 'none'];
        const hidden = part.clientWidth && part.scrollWidth - part.clientWidth;
        if (isClipped && hidden > 1 && part.textContent.trim()) found.push(['cut', name, hidden]);
        if (isClamped && part.scrollHeight > part.clientHeight + 1) found.push(['clamped', name, part.scrollHeight]);
        if (part.tagName !== 'SELECT' || !part.selectedOptions.length) continue;
        const [{text}] = part.selectedOptions;
        pen.font = style.font;
        const room = part.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        const others = [...document.querySelectorAll('h2, p, figcaption')];
        const isElsewhere = others.some(each => each.innerText.includes(text));
        if (pen.measureText(text).width > room && !isElsewhere) found.push(['chosen', name, text]);
    }
    return found;
}"""


# What is not where it belongs: a label beside another row of the table than its own, tabs under the verdict of a phone.
ASTRAY = """() => {
    const found = [];
    const middle = box => (box.top + box.bottom) / 2;
    const labels = [...document.querySelectorAll('.class-grid li')];
    const table = document.querySelector('.class-grid canvas')?.getBoundingClientRect();
    if (table?.height) labels.forEach((label, i) => {
        const off = middle(label.getBoundingClientRect()) - table.top - (i + 0.5) * table.height / labels.length;
        const over = label.scrollHeight - label.clientHeight;
        if (Math.abs(off) > 2 || over > 1) found.push([label.textContent, off, over]);
    });
    scrollTo(0, document.documentElement.scrollHeight);
    const [verdict, tabs] = ['verdict', 'tabs'].map(id => document.getElementById(id).getBoundingClientRect());
    if (innerWidth < 500 && tabs.top < verdict.bottom - 1) found.push(['tabs', tabs.top, verdict.bottom]);
    scrollTo(0, 0);
    return found;
}"""


def tall():
    """Grey and twice as high as wide, whose pad has that shape, too."""
    b = traits.Builder()
    mean = b.add("Flatten", b.add("GlobalAveragePool", traits.after_conv(b)))
    return b.model(b.dense(mean, traits.CLASSES, 6), ("n", 1, 48, 24))


def single():
    """One of each: a filter, whose map has one cell, and one score to add up for each class."""
    b = traits.Builder()
    maps = b.add("Relu", b.conv("x", 1, 1, 28))
    return b.model(b.dense(b.add("Flatten", maps), traits.CLASSES, 1))


NETWORKS = {
    "single": (single, {}),
    "clothes": (traits.plain, {"labels": CLOTHES}),
    "colour": (lambda: traits.colour(("n", 3, 32, 32)), {}),
    "wide": (lambda: traits.colour(("n", 3, 64, 96)), {}),
    "many": (traits.many_classes, {"labels": tuple(f"kind {index}" for index in range(traits.MANY))}),
    "dense": (traits.no_maps, {}),
    "signed": (lambda: traits.plain(is_signed=True), {}),
    "branched": (traits.squeeze_and_excite, {"labels": LONG}),
    "dilated": (traits.normalised, {}),
    "large": (traits.large, {}),
    "tall": (tall, {}),
    # What lies between the picture and the first layer: a form of numbers, which the passport tells; or the file's own.
    "formed": (traits.colour, {"numbers": PRESETS["caffe"]}),
    "dark": (traits.plain, {"numbers": Numbers(invert=True, scale=2, mean=(1,), std=(0.5,))}),
    "levels": (traits.levels, {}),
}
VIEWS = ("network", "bench", "why", "what-if", "filters", "learn", "lecture")
# What each view says of a network that it shows nothing of.
SAID = {
    ("dense", "network"): "no layer of it has maps",
    ("dense", "what-if"): "it has no convolution",
    ("dense", "filters"): "it has no convolution",
    **{(name, "lecture"): "The lecture is on the reading of digits" for name in NETWORKS},
    **{(name, "learn"): "no training was kept" for name in NETWORKS},
}


def pictures(folder):
    """Labelled pictures, for a report: 5 of each class, of one colour each."""
    random = np.random.default_rng(3)
    for label in range(traits.CLASSES):
        (folder / str(label)).mkdir(parents=True)
        for index in range(5):
            Image.new("RGB", (32, 32), tuple(random.integers(0, 256, 3))).save(folder / str(label) / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny").symlink_to(SHIPPED_MODELS / "tiny")
    for name, (make, more) in NETWORKS.items():
        place = folder / name / "1"
        place.mkdir(parents=True)
        (folder / "net.onnx").write_bytes(make().SerializeToString())
        report = str(pictures(folder / "pictures")) if name == "colour" else ""
        options = {"folder": str(place), "name": name, "version": "1", "report": report or None}
        make_model(AdoptionOptions(model=str(folder / "net.onnx"), **options, **more))
    with serving(environ={"FILTERSCOPE_MODELS": str(folder), "FILTERSCOPE_DEFAULT_MODEL": "tiny"}) as (port, _):
        yield f"http://127.0.0.1:{port}"


def opened_at(visit, name, view="network", more="", **options):
    """A page on one network, once its verdict has come."""
    opened = visit(**options)
    opened.page.goto(f"{opened.origin}/#model={name}@1&view={view}{more}")
    expect(opened.page.locator("#confidence")).to_contain_text("%")
    opened.rest()
    return opened


def seen(page):
    """The picture that the network saw, (rows, columns, 3) 0..255, read off the page's canvas."""
    size, pixels = page.locator("#seen").evaluate(
        "c => [[c.height, c.width, 4], [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]"
    )
    return np.array(pixels, np.uint8).reshape(size)[:, :, :3]


def posted(pixels):
    """A picture as a member of a JSON body."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def told(opened, name, path="/v1/classify", **members):
    """What the service answers of the picture that the page shows."""
    body = {"image": posted(seen(opened.page)), "prepare": "none", "model": name} | members
    if "explain" not in path:
        body["full"] = True
    return ask(opened.origin, path, body)["results"][0]


def bars(page):
    """Each bar's label and share."""
    names, shares = (page.locator(f"#bars {part}").all_inner_texts() for part in (".name", ".share"))
    return list(zip(names, shares, strict=True))


def expected_bars(verdict):
    return [(each["label"], percent(each["confidence"])) for each in verdict["top"]]


@pytest.mark.parametrize("name", sorted(NETWORKS) if PROOF else ["many"])
def test_label_confidence_and_the_five_most_probable_classes_are_the_service_s(visit, origin, name):
    opened = opened_at(visit, name)
    page = opened.page
    channels, rows, columns = ask(origin, f"/v1/models/{name}")["passport"]["input"]["shape"]
    assert seen(page).shape[:2] == (rows, columns)
    assert (np.ptp(seen(page), axis=2).max() > 0) == (channels == 3)
    verdict = told(opened, name)
    assert bars(page) == expected_bars(verdict)
    assert len(bars(page)) == min(5, len(ask(origin, f"/v1/models/{name}")["passport"]["labels"]))
    expect(page.locator("#digit")).to_have_text(verdict["label"])
    expect(page.locator("#confidence")).to_have_text(percent(verdict["confidence"]))
    chosen = page.locator(f"#model option[value='{name}@1']")
    assert chosen.inner_text() == f"{name} v1"
    assert f"{rows} × {columns}" in page.locator("#model").get_attribute("title")
    page.locator("#model").select_option("tiny@1")
    expect(chosen).to_contain_text(f", {rows} × {columns} ")


@pytest.mark.parametrize("name", sorted(NETWORKS) if PROOF else ["branched"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_view_shows_the_network_in_whole_or_says_in_a_sentence_why_not(visit, name, width):
    change = "" if name == "dense" else "&change=conv1/0:off"
    opened = opened_at(visit, name, more=change, width=width)
    page = opened.page
    for view in VIEWS:
        page.evaluate("view => { location.hash = location.hash.replace(/view=[a-z-]+/, `view=${view}`); }", view)
        panel = page.locator(f"#view-{view}")
        expect(panel).to_be_visible()
        opened.rest()
        if said := SAID.get((name, view)):
            expect(panel.locator(".standing")).to_contain_text(said)
            assert panel.locator(":scope > :not(.standing):visible").count() == 0
            assert page.locator("#dock:visible").count() == 0
        else:
            expect(panel.locator("canvas:visible").first).to_be_visible()
            assert panel.locator(".standing:visible").count() == 0, panel.locator(".standing").inner_text()
            assert not re.search(r"\bdigits?\b", panel.inner_text()), view
        assert page.evaluate(CUT) == [], view
        assert page.evaluate(ASTRAY) == [], view
        assert not re.search(r"…\.|\.\.|, *[.…]", panel.inner_text()), view


# A cell of each kind of sum: of colours, of a group of its own and of two, with its patch spread, of numbers in a form.
CELLS = {
    "wide": "conv1/2@11,38",
    "branched": "conv2/3@4,5",
    "branched, by two": "conv3/3@6,2",
    "dilated": "conv1/1@9,9",
    "tall": "conv1/0@20,5",
    "formed": "conv1/4@7,13",
    "dark": "conv1/2@20,11",
}


@pytest.mark.parametrize("name", sorted(CELLS) if PROOF else some(sorted(CELLS), 3))
def test_the_sum_behind_a_cell_is_done_with_the_networks_own_geometry(visit, name):
    opened = opened_at(visit, name.partition(",")[0], more=f"&at={CELLS[name]}")
    expect(opened.page.locator("#sum")).to_contain_text(", as the service computed.")
    opened.page.get_by_role("button", name="Shift right").click()
    expect(opened.page.locator("#rail-notes")).to_contain_text("Shifted by 1, 0 pixels")
    opened.rest()
    expect(opened.page.locator("#sum")).to_contain_text(", as the service computed.")


def test_of_three_colours_each_has_its_part_of_the_sum_in_words(visit):
    opened = opened_at(visit, "colour", more="&at=conv1/2@11,8")
    expect(opened.page.locator("#sum")).to_contain_text(", as the service computed.")
    parts = [
        float(part.replace("\u2212", "-"))
        for part in opened.page.locator("#dock .sum > .sum > .formula").all_inner_texts()
    ]
    total = float(opened.page.locator("#sum b").first.inner_text().replace("\u2212", "-"))
    assert len(parts) == 3
    assert sum(parts) == pytest.approx(total, abs=2e-3)
    assert "other channel" not in opened.page.locator("#dock").inner_text()


@pytest.mark.parametrize("name", ["branched", "colour", "formed", "wide"] if PROOF else ["branched"])
def test_the_words_on_a_filter_s_channels_are_how_they_lie(visit, name):
    opened = opened_at(visit, name, "filters")
    page = opened.page
    picker = page.locator("#view-filters select").first
    for layer in picker.locator("option").all_inner_texts()[0 if PROOF else -2 :]:
        picker.select_option(label=layer)
        expect(page.locator("#view-filters .card h2")).to_contain_text(layer.partition(":")[0])
        opened.rest()
        rows, columns = map(int, layer.rpartition(" of ")[2].split(" × "))
        wide, high = page.locator("#view-filters .switch canvas").first.evaluate("c => [c.width, c.height]")
        across, down = (wide + 1) // (columns + 1), (high + 1) // (rows + 1)
        words = page.locator("#view-filters").inner_text()
        assert ("side by side" in words) == (down == 1 < across), layer
        assert (f"row by row, {across} in a row" in words) == (down > 1), layer


def test_of_one_thing_no_number_of_things_is_told(visit):
    opened = opened_at(visit, "single", more="&at=conv1/0@0,0")
    things = "channel|class|cell|digit|filter|map|peg|pixel|place|weight"
    for view, told in (("network", "1 filter 28×28"), ("why", "1 × 1 place;"), ("what-if", "conv1, 1 filter")):
        opened.page.locator(f"#tab-{view}").click()
        expect(opened.page.locator(f"#view-{view}")).to_contain_text(told)
        words = opened.page.locator("body").inner_text()
        assert re.findall(rf"(?<![\d.,] )(?<![\d.,×−+])\b1 (?:\w+ )?(?:{things})e?s\b", words) == [], view


def test_what_a_changed_network_is_not_asked_for_says_that_it_is_of_the_one_before(visit):
    opened = opened_at(visit, "clothes", "why")
    page = opened.page
    said = "Of the network as it was adopted, without your changes."
    page.get_by_role("button", name="Smallest set that flips it", exact=True).click()
    page.get_by_label("How", exact=True).select_option("cam")
    expect(page.locator("#covering figcaption")).to_contain_text("What the maps of")
    assert said not in page.locator("#view-why").inner_text()
    page.get_by_role("switch").first.click()
    expect(page.locator("#deciding")).to_contain_text(f"{said} No set of filters flips")
    parts = page.locator(".unchanged:visible").evaluate_all(
        "notes => notes.map(note => [note.textContent, note.parentElement.querySelector('h3').innerText])"
    )
    assert parts == [
        [said, "Where the push comes from"],
        [said, "The picture, by its credit"],
        [said, "Every filter (across) and every class that is told (down)"],
        [said, "What each part of the picture is worth"],
    ]
    page.get_by_label("How", exact=True).select_option("occlusion")  # it takes the changes
    expect(page.locator("#covering figcaption")).to_contain_text("loses")
    assert said not in page.locator("#covering").inner_text()
    page.get_by_role("button", name="undo all").click()
    expect(page.locator("#deciding")).not_to_contain_text(said)
    assert said not in page.locator("#view-why").inner_text()


def test_a_network_that_is_not_served_leaves_the_address_and_the_page_says_which_answers(visit):
    opened = visit()
    page = opened.page
    page.goto(f"{opened.origin}/#model=nosuch@1&view=why&change=conv1/0:off&scale=zz")
    said = page.locator("#notice")
    expect(said).to_contain_text("The link's network nosuch@1 is not served here; tiny v1 answers.")
    expect(said).to_contain_text("The link's scale could not be used")
    expect(page).to_have_url(re.compile("#(?!.*nosuch)(?!.*change=).*view=why"))
    page.evaluate("location.hash = '#model=clothes@7&view=why'")
    expect(said).to_contain_text("clothes@7 is not served here; tiny v1 answers.")
    expect(page).to_have_url(re.compile("#(?!.*clothes).*view=why"))
    page.evaluate("location.hash = '#model=clothes&view=why'")  # a name alone is its newest version
    expect(page.locator("#model")).to_have_value("clothes@1")
    expect(said).to_be_hidden()
    expect(page).to_have_url(re.compile("model=clothes@1&"))


@in_proof
def test_where_the_file_changes_the_numbers_itself_the_dock_says_so(visit):
    opened = opened_at(visit, "levels", more="&at=conv1/1@9,9")
    expect(opened.page.locator("#sum")).to_contain_text("in a way that is not shown.")


def test_a_drawing_is_dark_on_light_or_light_on_dark_in_the_shape_of_the_network(visit):
    opened = opened_at(visit, "tall")
    page = opened.page
    box = page.locator("#pad").bounding_box()
    assert box["height"] == pytest.approx(2 * box["width"], rel=0.02)
    opened.draw(SEVEN)
    expect(page.locator("#pad-hint")).to_have_text("")
    opened.rest()
    dark_ink = seen(page)
    assert bars(page)
    assert dark_ink[0, 0].tolist() == [255] * 3
    assert dark_ink.min() < 60
    page.get_by_role("button", name="Light on dark").click()
    opened.rest()
    page.wait_for_timeout(700)
    np.testing.assert_allclose(seen(page).astype(int), 255 - dark_ink.astype(int), atol=1)
    assert "ground=dark" in page.url


def test_a_network_of_colour_takes_files_and_a_file_stays_when_the_network_changes(visit, tmp_path):
    photo = np.random.default_rng(5).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(photo).resize((320, 240)).save(tmp_path / "photo.png")
    opened = opened_at(visit, "colour")
    page = opened.page
    before = bars(page)
    opened.draw(SEVEN)
    assert bars(page) == before  # the pad takes no ink
    with page.expect_file_chooser() as chooser:
        page.locator("#pad").click()
    chooser.value.set_files(tmp_path / "photo.png")
    expect(page.locator("#pad-hint")).to_have_text("")
    opened.rest()
    assert np.ptp(seen(page), axis=2).max() > 50
    assert bars(page) == expected_bars(told(opened, "colour"))
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Link", exact=True).click()
    expect(page.locator("#dialog")).to_contain_text("may cut it")
    length = int(re.search(r"It has ([\d,]+) letters", page.locator("#dialog").inner_text())[1].replace(",", ""))
    assert length == len(page.get_by_role("textbox", name="Link to this view").input_value()) > 2000
    page.get_by_role("button", name="Close").click()
    page.locator("#model").select_option("clothes@1")
    expect(page.locator("#bars .name").first).to_have_text(re.compile("|".join(CLOTHES)))
    opened.rest()
    # A photo is posted as it is; its levels are read off the page, rounded.
    verdict = told(opened, "clothes")
    assert bars(page)[0][0] == verdict["label"] == page.locator("#digit").inner_text()
    page.wait_for_timeout(700)
    assert "model=clothes@1" in page.url
    assert "pic=p28x28x1:" in page.url
    page.reload()
    expect(page.locator("#digit")).to_have_text(verdict["label"])
    opened.rest()
    assert bars(page) == expected_bars(verdict)


@in_proof
def test_an_address_that_names_another_network_opens_it(visit):
    opened = opened_at(visit, "clothes")
    page = opened.page
    address = "location.hash.replace('clothes', 'branched').replace(/&at=[^&]*/, '') + '&change=conv3/1:off'"
    page.evaluate(f"location.hash = {address}")  # a filter that the network before has not
    expect(page.locator("#model")).to_have_value("branched@1")
    expect(page.locator("#view-network")).to_contain_text("concat1")
    expect(page.locator("#rail-notes")).to_contain_text("1 filter changed")


def test_without_a_network_of_digits_a_visitor_begins_with_a_view_that_is_about_the_one_there_is(visit):
    opened = visit()
    page = opened.page

    def adopted_alone(route):
        models = [model for model in route.fetch().json()["models"] if model["name"] == "many"]
        route.fulfill(json={"models": models})

    page.route("**/v1/models", adopted_alone)
    page.goto(opened.origin)
    expect(page.locator("#view-network")).to_be_visible()
    expect(page.locator("#digit")).to_have_text(re.compile(r"^kind \d+$"))
    opened.rest()
    page.get_by_role("tab", name="Lecture").click()
    expect(page.locator("#view-lecture .standing")).to_contain_text(
        "many tells 200 classes, such as kind 0, kind 1 and kind 2."
    )


def test_the_way_from_a_view_of_digits_leads_to_a_network_of_them(visit):
    opened = opened_at(visit, "colour", "lecture")
    opened.page.get_by_role("button", name="Open it with tiny").click()
    expect(opened.page.locator("#digit")).to_have_text("3")
    expect(opened.page.locator("#step-title")).to_contain_text("1 A picture is numbers")
    expect(opened.page.locator("#bars .name")).to_have_text([str(digit) for digit in range(10)])


@pytest.mark.parametrize("name", sorted({*NETWORKS} - {"dense"}) if PROOF else ["many"])
def test_what_if_tells_the_first_five_before_and_after_as_the_service_does(visit, name):
    opened = opened_at(visit, name, "what-if")
    page = opened.page
    switch = page.get_by_role("switch").first
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    opened.rest()
    layer, filter_index = re.fullmatch(r"(\w+), filter (\d+)", switch.get_attribute("aria-label")).groups()
    change = {"layer": layer, "filter": int(filter_index), "action": "off"}
    result = told(opened, name, "/v1/what-if", changes=[change])
    rows = [row.split("\t") for row in page.locator("#view-what-if tbody tr").all_inner_texts()]
    labels = ask(opened.origin, f"/v1/models/{name}")["passport"]["labels"]
    first = dict.fromkeys(each["label"] for side in ("after", "before") for each in result[side]["top"])
    assert [row[0] for row in rows] == list(first)
    for label, before, after, logit, _ in rows:
        index = labels.index(label)
        assert before == percent(result["before"]["probabilities"][index])
        assert after == percent(result["after"]["probabilities"][index])
        assert logit == written(result["after"]["logits"][index], 2)
    assert bars(page) == expected_bars(result["after"])


@pytest.mark.parametrize("name", ["clothes", "colour", "wide", "many", "branched", "tall"] if PROOF else ["many"])
def test_why_adds_up_the_margin_of_two_classes(visit, name):
    opened = opened_at(visit, name, "why")
    page = opened.page
    verdict = told(opened, name)
    first, second = verdict["top"][:2]
    margin = verdict["logits"][first["class"]] - verdict["logits"][second["class"]]
    headline = page.locator("#view-why h2").first.inner_text()
    assert headline.startswith(f"{first['label']} leads {second['label']} by ")
    assert float(headline.rpartition(" ")[2]) == pytest.approx(margin, abs=6e-3)
    assert page.locator("#view-why select").first.locator("option").count() == len(verdict["logits"])
    assert "off by" in page.locator("#ledger-sum").inner_text()
    page.get_by_label("How", exact=True).select_option("occlusion")
    expect(page.locator("#covering figcaption")).to_contain_text(f"What {first['label']} loses")


ENDS = {True: (11, 61, 114), False: (122, 46, 4)}  # blue and orange at their strongest


@pytest.mark.parametrize(("name", "reason"), [("signed", "no rule for Sign"), ("dense", "no layer of it has maps")])
def test_where_scores_are_not_split_why_says_so_and_shows_what_covering_does(visit, name, reason):
    opened = opened_at(visit, name, "why")
    page = opened.page
    expect(page.locator("#refused")).to_contain_text(f"not split into the shares of filters: {reason}.")
    expect(page.locator("#view-why .pegs")).to_be_hidden()
    expect(page.locator("#view-why [data-lane=pixels]")).to_be_visible(visible=name == "dense")
    expect(page.locator("#covering figcaption")).to_contain_text("where a window of 4 × 4 is covered, in 169 places")
    asked = [url for url in opened.urls if "explain" in url]
    assert not any("method=ledger" in url for url in asked)
    opened.rest()
    pixels = page.locator("#covering .framed canvas").last.evaluate(
        "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    painted = np.array(pixels[2:]).reshape(*pixels[:2], 4)[:, :, :3]
    covered = np.array(told(opened, name, "/v1/explain", method="occlusion")["map"])
    assert painted.shape[:2] == covered.shape
    strongest = np.unravel_index(np.abs(covered).argmax(), covered.shape)
    assert tuple(painted[strongest]) == ENDS[bool(covered[strongest] > 0)]
    if said := SAID.get((name, "network")):
        page.get_by_role("tab", name="Network").click()
        expect(page.locator("#view-network .standing")).to_contain_text(said)
        assert page.locator("#view-network > :not(.standing):visible, #dock:visible").count() == 0


def test_the_card_of_a_filter_has_what_the_report_of_its_network_says(visit, origin):
    page = opened_at(visit, "colour", "filters").page
    report = ask(origin, "/v1/models/colour/report?layer=conv1")
    card = page.locator("#view-filters .card")
    expect(card).to_contain_text("On 20 pictures of pictures")
    page.get_by_role("button", name="conv1, filter 2", exact=True).click()
    expect(card.locator("h2")).to_have_text("conv1, filter 2")
    told = report["layers"][0]["filters"][2]
    names = [report["pictures"][each["image"]] for each in told["top"][:5]]
    expect(card).to_contain_text(f"It answered most to {', '.join(names)}.")
    facts = dict(zip(card.locator("dt").all_inner_texts(), card.locator("dd").all_inner_texts(), strict=True))
    assert facts["answers most to"] == str(told["favourite"])
    assert "without it" not in facts


@in_proof
def test_a_large_network_shows_as_much_as_there_is_room_for_and_the_rest_by_choice(visit):
    opened = opened_at(visit, "large")
    page = opened.page
    titles = page.locator("#view-network .layer:not(.end) h2")
    expect(titles).to_contain_text(["conv1", "pool1", "pool2"])
    sizes = page.locator("#view-network .layer:not(.end) canvas").first.evaluate("c => [c.width, c.clientWidth]")
    assert sizes[0] == 222
    assert sizes[1] <= 72
    expect(page.get_by_label("Layers")).to_have_count(0)


def test_what_is_too_much_to_show_at_once_is_left_to_a_choice(run):
    """A network as deep as those of photographs: the last map of each size, within the numbers that are asked for."""
    found = run(
        "state/kind.js",
        """(() => {
            const layer = (i, channels, side) => ({ name: `conv${i}`, op: "conv", shape: [channels, side, side] });
            const layers = [
                layer(1, 64, 112), layer(2, 256, 56), layer(3, 256, 56), layer(4, 512, 28), layer(5, 512, 28),
                layer(6, 1024, 14), layer(7, 2048, 7), { name: "pool", op: "globalavgpool", shape: [2048, 1, 1] },
            ];
            const names = (chosen) => m.shownLayers({ layers }, chosen).map(({ name }) => name);
            return [names(""), names("conv2"), names("none"), m.areAllShown({ layers })];
        })()""",
    )
    kept = ["conv5", "conv6", "conv7", "pool"]
    assert found == [kept, ["conv2"], kept, False]


def test_a_refusal_is_told_with_its_reason_and_what_helps(visit):
    opened = visit()
    opened.expected = ["Failed to load resource"]
    page = opened.page
    problem = {"title": "Too large", "status": 413, "detail": "a body may have 4 MB, this has 5; send it smaller"}
    page.route("**/v1/classify*", lambda route: route.fulfill(status=413, body=json.dumps(problem)))
    page.goto(f"{opened.origin}/#model=wide@1&view=why")
    expect(page.locator("#rail-notes .problem")).to_have_text("a body may have 4 MB, this has 5; send it smaller")
    page.unroute("**/v1/classify*")
    problem = {"title": "Too much work", "status": 422, "detail": "1000 masks cost 78 s, 2 are allowed: masks=24"}
    page.route("**/v1/explain*method=rise*", lambda route: route.fulfill(status=422, body=json.dumps(problem)))
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Example").click()
    expect(page.locator("#view-why h2").first).to_contain_text("leads")
    page.get_by_label("How", exact=True).select_option("rise")
    expect(page.locator("#view-why .standing")).to_contain_text("2 are allowed: masks=24")
