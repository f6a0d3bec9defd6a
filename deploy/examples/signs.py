"""A network of signs in two colours, trained in half a minute: `python signs.py` writes it, and pictures of each."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

SIDE = 40
LABELS = ("red disc", "blue disc", "red ring", "blue ring", "red star", "blue star")


def draw(random: np.random.Generator, label: str) -> Image.Image:
    """Draw a sign of any size, turn and place on ground of any grey."""
    name, shape = label.split()
    grey, dark = random.integers(90, 220), random.integers(0, 60, 3)
    colour = tuple(int(level) for level in np.where(np.array([name == "red", 0, name == "blue"]), 230, dark))
    image = Image.new("RGB", (4 * SIDE, 4 * SIDE), (int(grey),) * 3)
    pen = ImageDraw.Draw(image)
    size, (x, y) = random.uniform(45, 70), random.uniform(72, 88, 2)

    if shape == "star":
        turns = 2 * np.pi * np.arange(10) / 10 + random.uniform(0, 2 * np.pi)
        reach = np.tile([size, size * 0.45], 5)
        pen.polygon(list(zip(x + reach * np.cos(turns), y + reach * np.sin(turns), strict=True)), fill=colour)
    else:
        box = (x - size, y - size, x + size, y + size)
        pen.ellipse(box, outline=colour, width=int(size / 3), fill=colour if shape == "disc" else None)
    small = np.asarray(image.resize((SIDE, SIDE)), np.float32) + random.normal(0, 8, (SIDE, SIDE, 3))
    return Image.fromarray(small.clip(0, 255).astype(np.uint8))


def main() -> None:
    """Draw, train, and write what `filterscope adopt` is given."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    random = np.random.default_rng(1)
    labels = np.arange(1200) % len(LABELS)
    pixels = np.stack([np.asarray(draw(random, LABELS[label])) for label in labels])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1  # -1..1, as many networks want them
    wanted = torch.from_numpy(labels)
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, len(LABELS)))
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(8):
        for chosen in torch.randperm(len(images)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[chosen]), wanted[chosen]).backward()
            optimiser.step()
    network.eval()
    free = {"input": {0: "n"}}
    torch.onnx.export(network, (images[:1],), "signs.onnx", input_names=["input"], dynamic_axes=free, dynamo=False)
    for label in LABELS:
        folder = Path("signs") / label
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(25):
            draw(random, label).save(folder / f"{index}.png")
    Path("labels.txt").write_text("\n".join(LABELS) + "\n")


if __name__ == "__main__":
    main()
