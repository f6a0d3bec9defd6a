"""openapi-generator's Python: its functions take files, and structures as JSON text."""

import json
import sys
from pathlib import Path

from openapi_client import ApiClient, Configuration, DigitsApi, FiltersApi, Format, LedgerExplanation, Method

address, folder, results = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
client = ApiClient(Configuration(host=f"http://{address}"))
digits, filters = DigitsApi(client), FiltersApi(client)
pictures = sorted(folder.iterdir())
# It takes the fields of a form, but says application/json wherever a call knows that too.
FORM = "multipart/form-data"

for picture in pictures:
    read = digits.classify(image=[picture.read_bytes()], prepared_image=True, _content_type=FORM)
    print("classify", read.results[0].digit)
image: list[bytes | str | tuple[str, bytes]] = [(pictures[0].name, pictures[0].read_bytes())]

maps = digits.compute_feature_maps(image=image, layers=["conv1"], filters=[0, 5], _content_type=FORM)
print("feature-maps", len(maps.results[0].layers[0].filters))

# An answer that is no JSON is read from the response.
layers = ["conv1", "pool1"]
npz = digits.compute_feature_maps_without_preload_content(
    image=image, layers=layers, format=Format.NPZ, _content_type=FORM
)
print("npz", npz.read()[0])

png = digits.compute_feature_maps_without_preload_content(
    image=image, layers=layers, format=Format.PNG, _content_type=FORM
)
(results / "maps.png").write_bytes(png.read())

bank = json.dumps([{"preset": "sobel"}, {"weights": [[1, -1]]}])
applied = filters.apply_filters(image=image, filters=bank, stride=[2, 2], padding="same", _content_type=FORM)
rows = applied.results[0].filters[1].response.actual_instance
print("apply-filters", len(applied.results[0].filters), rows and len(rows))

saved = filters.apply_filters_without_preload_content(image=image, filters=bank, format=Format.NPZ, _content_type=FORM)
(results / "bank.npz").write_bytes(saved.read())

why = digits.explain(image=image, method=Method.LEDGER, _content_type=FORM).results[0].actual_instance
assert isinstance(why, LedgerExplanation)
print("explain", len(why.shares.filters))

changes = json.dumps([{"layer": "conv1", "filter": 3, "action": "off"}])
edited = digits.compare_what_if(image=image, changes=changes, _content_type=FORM)
print("what-if", edited.results[0].before.digit)
