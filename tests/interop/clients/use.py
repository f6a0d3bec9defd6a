"""openapi-python-client: typed models, a file posted, arrays as npz."""

import io
import sys
from pathlib import Path

import numpy as np
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

address, path = sys.argv[1:]
client = Client(base_url=f"http://{address}")
picture = Path(path).read_bytes()
rows: list[list[float | list[float]]] = [[0, 0, 0, 1, 1, 0, 0, 0]] * 8

form = PicturesForm(image=[File(payload=io.BytesIO(picture), file_name="3.png", mime_type="image/png")])
read = classify.sync(client=client, body=form, prepared_image=True)
assert isinstance(read, Classifications)
print("classify", read.results[0].digit)

request = FeatureMapsJson(image=rows, layers=["conv1"], filters=[0, 5])
maps = compute_feature_maps.sync(client=client, body=request)
assert isinstance(maps, FeatureMaps)
print("feature-maps", len(maps.results[0].layers[0].filters))

# Its functions read one kind of answer, JSON; another is read from the request that it makes.
asked = compute_feature_maps._get_kwargs(
    body=FeatureMapsJson(image=rows), format_=Format.NPZ, layers=["conv1", "pool1"]
)
answer = client.get_httpx_client().request(**asked)
print("npz", np.load(io.BytesIO(answer.raise_for_status().content))["conv1.act"].shape[0] and answer.content[0])

bank = [Filter(preset="sobel"), Filter(weights=[[1, -1]])]
applied = apply_filters.sync(
    client=client, body=ApplyFiltersJson(image=rows, filters=bank, stride=[2, 2], padding=PaddingType0.SAME)
)
assert isinstance(applied, AppliedFilters)
print("apply-filters", len(applied.results[0].filters))

why = explain.sync(client=client, body=ExplainJson(image=rows))
assert isinstance(why, Explanations)
assert isinstance(why.results[0], LedgerExplanation)
print("explain", len(why.results[0].shares.filters))

change = Change(layer="conv1", filter_=3, action=Action.OFF)
edited = compare_what_if.sync(client=client, body=WhatIfJson(image=rows, changes=[change]))
assert isinstance(edited, WhatIf)
print("what-if", edited.results[0].before.digit)
