"""
A client for programs in Python: pictures in, arrays out; of the service it knows the contract alone.

It needs httpx and NumPy, and nothing that the service needs. `AsyncClient` has the same methods, to be awaited.

>>> client = Client("http://127.0.0.1:8000")
>>> client.classify("tests/three.png").digits
array([3])
>>> client.feature_maps("tests/three.png", layers=["conv1"])["conv1.act"].shape
(1, 16, 24, 24)
"""

from service.client.answers import Explanation, FeatureMaps, RankedClass, Responses, Verdict, Verdicts, WhatIf
from service.client.clients import AsyncClient, Client
from service.client.errors import ClientError, Refused, Unexpected, Unreachable

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Explanation",
    "FeatureMaps",
    "RankedClass",
    "Refused",
    "Responses",
    "Unexpected",
    "Unreachable",
    "Verdict",
    "Verdicts",
    "WhatIf",
]
