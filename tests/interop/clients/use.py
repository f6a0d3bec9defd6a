"""openapi-python-client: typed models, a file posted, arrays as npz."""

import base64
import io
import sys
from pathlib import Path
from typing import Any

from filterscope_client import Client
from filterscope_client.api.digits import classify, compare_what_if, compute_feature_maps, explain
from filterscope_client.api.filters import apply_filters
from filterscope_client.models import (
    Action,
    AppliedFilters,
    ApplyFiltersJson,
    Change,
    Classifications,
    ExplainJson,
    Explanations,
    FeatureMaps,
    FeatureMapsJson,
    Filter,
    Format,
    LedgerExplanation,
    PaddingType0,
    PicturesForm,
    WhatIf,
    WhatIfJson,
)
from filterscope_client.types import File

address, folder, results = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
client = Client(base_url=f"http://{address}")
pictures = sorted(folder.iterdir())

for picture in pictures:
    file = File(payload=io.BytesIO(picture.read_bytes()), file_name=picture.name, mime_type="image/png")
    read = classify.sync(client=client, body=PicturesForm(image=[file]), prepared_image=True)
    assert isinstance(read, Classifications)
    print("classify", read.results[0].digit)
image = base64.b64encode(pictures[0].read_bytes()).decode()

request = FeatureMapsJson(image=image, layers=["conv1"], filters=[0, 5])
maps = compute_feature_maps.sync(client=client, body=request)
assert isinstance(maps, FeatureMaps)
print("feature-maps", len(maps.results[0].layers[0].filters))


def whole(asked: dict[str, Any]) -> bytes:
    """The answer as it comes: the functions read one kind, JSON."""
    return client.get_httpx_client().request(**asked).raise_for_status().content


body = FeatureMapsJson(image=image, layers=["conv1", "pool1"])
print("npz", whole(compute_feature_maps._get_kwargs(body=body, format_=Format.NPZ))[0])
(results / "maps.png").write_bytes(whole(compute_feature_maps._get_kwargs(body=body, format_=Format.PNG)))

bank = [Filter(preset="sobel"), Filter(weights=[[1.0, -1.0]])]
asked = ApplyFiltersJson(image=image, filters=bank, stride=[2, 2], padding=PaddingType0.SAME)
applied = apply_filters.sync(client=client, body=asked)
assert isinstance(applied, AppliedFilters)
print("apply-filters", len(applied.results[0].filters), len(applied.results[0].filters[1].response))

as_npz = apply_filters._get_kwargs(body=ApplyFiltersJson(image=image, filters=bank), format_=Format.NPZ)
(results / "bank.npz").write_bytes(whole(as_npz))

why = explain.sync(client=client, body=ExplainJson(image=image))
assert isinstance(why, Explanations)
assert isinstance(why.results[0], LedgerExplanation)
print("explain", len(why.results[0].shares.filters))

change = Change(layer="conv1", filter_=3, action=Action.OFF)
edited = compare_what_if.sync(client=client, body=WhatIfJson(image=image, changes=[change]))
assert isinstance(edited, WhatIf)
print("what-if", edited.results[0].before.digit)
