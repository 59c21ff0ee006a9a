#!/usr/bin/env python3
"""Makes the files of tests/io/weights, which the tests of io read: Hugging Face model directories with
tensors of a few elements. Needs PyTorch and safetensors; run as  python tests/io/make_weights.py.
The C tests know the values: element i of the tensor number k (in the order below) is (i - 3) / 4 + k,
which float32, half and bfloat16 all have exactly."""
import collections
import json
import os
import shutil
import torch
from safetensors.torch import save_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")


def tensor(number, shape, dtype=torch.float32):
    count = 1
    for size in shape:
        count *= size
    return ((torch.arange(count, dtype=torch.float32) - 3) / 4 + number).reshape(shape).to(dtype)


def tensors():
    """Names in the order of their numbers."""
    return collections.OrderedDict([
        ("shared.weight", tensor(0, (5, 4))),
        ("encoder.half", tensor(1, (3, 2, 2), torch.float16)),
        ("encoder.bfloat16", tensor(2, (7,), torch.bfloat16)),
        ("decoder.scalar", tensor(3, ())),
        ("decoder.empty", tensor(4, (0, 3))),
        ("decoder.four", tensor(5, (2, 1, 2, 1))),
    ])


def folder(name):
    path = os.path.join(HERE, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def index(path, name, weight_map):
    with open(os.path.join(path, name), "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": weight_map}, f, indent=1)
        f.write("\n")


def halves():
    items = list(tensors().items())
    return dict(items[:3]), dict(items[3:])


def make_safetensors():
    save_file(dict(tensors()), os.path.join(folder("safetensors"), "model.safetensors"),
              metadata={"format": "pt"})
    path, weight_map = folder("safetensors_sharded"), {}
    for number, part in enumerate(halves(), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        save_file(part, os.path.join(path, name))
        weight_map.update({key: name for key in part})
    index(path, "model.safetensors.index.json", weight_map)


class Module(torch.nn.Module):
    """Gives a state dict as a model has it: an OrderedDict with _metadata."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(3, 2)
        with torch.no_grad():
            self.inner.weight.copy_(tensor(0, (2, 3)))
            self.inner.bias.copy_(tensor(1, (2,)))


def make_pytorch():
    torch.save(tensors(), os.path.join(folder("pytorch"), "pytorch_model.bin"))
    path, weight_map = folder("pytorch_sharded"), {}
    for number, part in enumerate(halves(), 1):
        name = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save(part, os.path.join(path, name))
        weight_map.update({key: name for key in part})
    index(path, "pytorch_model.bin.index.json", weight_map)
    torch.save(Module().state_dict(), os.path.join(folder("pytorch_module"), "pytorch_model.bin"))
    # One storage, which a tied checkpoint has under three names, a part of one, and a Parameter.
    shared = tensor(0, (5, 4))
    torch.save({"shared.weight": shared, "encoder.embed_tokens.weight": shared,
                "lm_head.weight": shared.view(5, 4), "rows": shared[1:3],
                "parameter": torch.nn.Parameter(tensor(4, (2, 2)))},
               os.path.join(folder("pytorch_shared"), "pytorch_model.bin"))
    bad = {
        "old": lambda f: torch.save(tensors(), f, _use_new_zipfile_serialization=False),
        "transposed": lambda f: torch.save({"t": tensor(0, (2, 3)).t()}, f),
        "double": lambda f: torch.save({"d": tensor(0, (2,), torch.float64)}, f),
        "nested": lambda f: torch.save({"model": {"w": tensor(0, (2,))}}, f),
        "list": lambda f: torch.save([tensor(0, (2,))], f),
        "protocol4": lambda f: torch.save({"w": tensor(0, (2,))}, f, pickle_protocol=4),
        "object": lambda f: torch.save({"w": tensor(0, (2,)), "x": os.system}, f),
    }
    for name, save in bad.items():
        save(os.path.join(folder("pytorch_bad_" + name), "pytorch_model.bin"))


if __name__ == "__main__":
    torch.manual_seed(0)
    make_safetensors()
    make_pytorch()
