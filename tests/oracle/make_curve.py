#!/usr/bin/env python3
"""Makes curve_t5small_*.txt: the losses of 100 steps of the Transformers Trainer on a random T5-small.

    python3 tests/oracle/make_curve.py [NAME]...        (relu, gelu; some minutes each)

Made with torch 2.15.0, transformers 5.23.0, accelerate 1.15.0 and sentencepiece 0.2.3. Needed only to make the
file anew: test_curve.c makes the same run and compares.

The run: rows 0..1599 of configs/demo/v3like.jsonl in file order, 16 a batch; inputs are the pieces of the demo's
SentencePiece model, targets the labels behind them in the vocabulary (numbered by falling frequency over all rows,
ties by first appearance); dropout 0; AdamW, weight decay of all but norm weights; linear warm-up and decay;
clipping at 1; the Trainer's label smoothing of 0.1. All of it is done by the Trainer on the CPU, once in float32 and
once in float64: the second shows how much of a difference is rounding.

Why there are two. A ReLU whose input is within rounding of zero is open in one program and shut in the other, which
changes the gradient by far more than rounding; the weights drift apart, more units flip, and so on. With T5-small's
ReLU and a peak rate of 3e-4 the loss of the Trainer in float32 is up to 3.5e-4 (relative) from its loss in float64
within these 100 steps, and no program can be held to 1e-4 there. A larger epsilon of Adam does not help: src/model with
its sums split up another way is up to 1e-3 from itself at 1e-6, and 4e-4 at 1e-4. Nor does a warm-up of 150 steps
(2e-4). A smaller rate does: at 5e-6 the same change of sums makes 2e-5, and the loss still falls. So `relu` has that rate,
and `gelu`, the same model but for the gated GELU of v1.1, which has no kink, has the realistic one.

Initial weights are not stored. Parameter i of the file's list is normal with the standard deviation that stands
there (0: all ones): four numbers of each block of Philox4x32-10, by Box-Muller; key (SEED, 0), counter (low and high
half of the block's number, 2^24 + i, 0). src/base/rng.h is the same function.

The file: lines "param NAME DEVIATION" and "step RATE INPUTS TARGETS HASH LOSS LOSS64": learning rate, number of
input and of target tokens, FNV-1a over all input ids and then all target ids of the batch, loss in float32 and in
float64. Lines that start with # are for people.
"""

import collections
import json
import os
import sys
import tempfile

import accelerate
import numpy as np
import sentencepiece
import torch
import transformers
from transformers import T5Config, T5ForConditionalGeneration, Trainer, TrainingArguments

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "..", "configs", "demo")
STEPS, BATCH, WARMUP, SEED, DECAY = 100, 16, 20, 42, 0.01
RUNS = {"relu": ("relu", 5e-6), "gelu": ("gated-gelu", 3e-4)}  # activation, peak rate
MAX_INPUT, MAX_TARGET, PAD, EOS = 128, 32, 0, 1
RNG_INIT = 1 << 24


def read_rows():
    with open(os.path.join(DEMO, "v3like.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def tokenise(rows):
    """(input ids, target ids) of each row, and the size of the vocabulary."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=os.path.join(DEMO, "spiece.model"))
    counts = collections.Counter(label for row in rows for label in row["emoji_string"].split())
    first = pieces.get_piece_size()
    number = {label: first + i for i, (label, _) in enumerate(counts.most_common())}
    assert pieces.eos_id() == EOS and pieces.pad_id() == PAD
    tokens = []
    for row in rows:
        inputs = pieces.encode(row["sns_text"])[: MAX_INPUT - 1] + [EOS]
        targets = [number[label] for label in row["emoji_string"].split()][: MAX_TARGET - 1] + [EOS]
        tokens.append((inputs, targets))
    return tokens, first + len(number)


def philox(block, purpose):
    """Philox4x32-10 (Salmon et al., SC 2011) of the counters (block, purpose, 0): (4, blocks) of 32 bits."""
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    c = [block & low, block >> half, np.full_like(block, purpose), np.zeros_like(block)]
    k = [SEED, 0]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> half) ^ c[1] ^ np.uint64(k[0]), p1 & low, (p0 >> half) ^ c[3] ^ np.uint64(k[1]), p0 & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def normals(number, n):
    out = np.empty((n + 3) // 4 * 4, np.float32)
    for first in range(0, len(out), 1 << 20):
        part = out[first : first + (1 << 20)].reshape(-1, 4)
        block = np.arange(first // 4, first // 4 + len(part), dtype=np.uint64)
        u = [(x.astype(np.float64) + 0.5) / 2**32 for x in philox(block, RNG_INIT | number)]
        for i in (0, 2):
            radius, angle = np.sqrt(-2 * np.log(u[i])), 2 * np.pi * u[i + 1]
            part[:, i], part[:, i + 1] = radius * np.cos(angle), radius * np.sin(angle)
    return out[:n]


def deviation(name, config):
    """T5's initialisation, as modeling_t5.py has it."""
    if "layer_norm" in name:
        return 0.0
    if name == "shared.weight":
        return 1.0
    if name.endswith("Attention.q.weight"):
        return (config.d_model * config.d_kv) ** -0.5
    if name.endswith("Attention.o.weight"):
        return (config.num_heads * config.d_kv) ** -0.5
    if name.endswith("wo.weight"):
        return config.d_ff**-0.5
    return config.d_model**-0.5


@torch.no_grad()
def make_model(vocab, dtype, activation):
    config = T5Config(vocab_size=vocab, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8,
                      feed_forward_proj=activation, dropout_rate=0.0, pad_token_id=PAD, eos_token_id=EOS,
                      decoder_start_token_id=PAD)
    model = T5ForConditionalGeneration(config)
    assert config.scale_decoder_outputs and model.lm_head.weight is model.shared.weight
    params = []
    for i, (name, p) in enumerate(model.named_parameters()):
        std = np.float32(deviation(name, config))
        values = normals(i, p.numel()) * std if std > 0 else np.ones(p.numel(), np.float32)
        p.copy_(torch.from_numpy(values).view(p.shape))
        params.append((name, std))
    return model.to(dtype), params


def pad(rows, value):
    width = max(len(r) for r in rows)
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def collate(rows):
    inputs, targets = [r[0] for r in rows], [r[1] for r in rows]
    return {"input_ids": pad(inputs, PAD), "attention_mask": pad([[1] * len(r) for r in inputs], 0),
            "labels": pad(targets, -100), "decoder_input_ids": pad([[PAD] + r[:-1] for r in targets], PAD)}


class Watched(Trainer):
    """The Trainer, which also keeps every step's loss unrounded, and the learning rate that was used. Norm weights do
    not decay and all others do, as in src/model; the Trainer's own rule spares the relative biases, too, for the word
    in their name."""

    def get_decay_parameter_names(self, model):
        return [name for name, _ in model.named_parameters() if "layer_norm" not in name]

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self.seen.append((self.lr_scheduler.get_last_lr()[0], loss.item()))
        return loss


def train(tokens, vocab, dtype, activation, peak):
    model, params = make_model(vocab, dtype, activation)
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder, max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=peak,
            warmup_steps=WARMUP, lr_scheduler_type="linear", weight_decay=DECAY, max_grad_norm=1.0,
            label_smoothing_factor=0.1, train_sampling_strategy="sequential", use_cpu=True, save_strategy="no",
            remove_unused_columns=False, report_to=[], logging_steps=STEPS, disable_tqdm=True)
        trainer = Watched(model=model, args=args, train_dataset=tokens[: STEPS * BATCH], data_collator=collate)
        trainer.seen = []
        trainer.train()
    assert len(trainer.seen) == STEPS
    groups = [(len(g["params"]), g["weight_decay"]) for g in trainer.optimizer.param_groups]
    norms = sum("layer_norm" in name for name, _ in params)
    assert groups == [(len(params) - norms, DECAY), (norms, 0.0)]
    assert (args.adam_beta1, args.adam_beta2, args.adam_epsilon) == (0.9, 0.999, 1e-8)
    return trainer.seen, params


def fnv(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        h = ((h ^ i) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def make(name, tokens, vocab):
    single, params = train(tokens, vocab, torch.float32, *RUNS[name])
    double, _ = train(tokens, vocab, torch.float64, *RUNS[name])
    noise = max(abs(a[1] - b[1]) / b[1] for a, b in zip(single, double))
    lines = [
        "# The Transformers Trainer on a random T5-small: made by make_curve.py, which says how and what the lines are.",
        f"# torch {torch.__version__}, transformers {transformers.__version__}, accelerate {accelerate.__version__}, "
        f"sentencepiece {sentencepiece.__version__}; {torch.get_num_threads()} threads",
        f"# {RUNS[name][0]}, peak rate {RUNS[name][1]:g}; float32 and float64 differ by at most {noise:.1e}",
    ]
    lines += [f"param {key} {std:.9g}" for key, std in params]
    for step, ((rate, loss), (_, loss64)) in enumerate(zip(single, double)):
        rows = tokens[step * BATCH : (step + 1) * BATCH]
        inputs, targets = [i for r in rows for i in r[0]], [i for r in rows for i in r[1]]
        lines.append(f"step {rate:.9g} {len(inputs)} {len(targets)} {fnv(inputs + targets):016x} "
                     f"{loss:.9g} {loss64:.9g}")
    with open(os.path.join(HERE, f"curve_t5small_{name}.txt"), "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")
    print("\n".join(lines[:3] + lines[-2:]))


def main():
    tokens, vocab = tokenise(read_rows())
    for name in sys.argv[1:] or RUNS:
        make(name, tokens, vocab)
    return 0


if __name__ == "__main__":
    sys.exit(main())
