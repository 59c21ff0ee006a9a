#!/usr/bin/env python3
"""Makes the oracle fixtures: what Transformers computes for small random T5 models.

    python3 tests/oracle/make_fixtures.py [NAME ...]            (writes tests/oracle/fixtures/*.t5fix)

Made with torch 2.15.0 and transformers 5.23.0. Needed only to make the files anew: the C test reads
the committed ones.

Precision: logits, losses, gradients and the ten optimiser steps are computed on `model.double()` and
stored as float32, so that the reference's own rounding stays far below the tolerances (T5LayerNorm still
takes its variance in float32). Generation runs on the double model too; `generate` itself
turns each step's logits into float32.

A fixture is one file, little-endian: the 8 bytes "T5FIX01\\n", then blocks until the end:
    uint32 type (0 float32, 1 int32, 2 bfloat16) | uint32 length of the name | uint32 number of dimensions |
    uint32 dimension ... | name | values, row-major
Sequences are packed: ids of all rows one behind the other, `*_start` the (rows + 1) offsets. Padding and
masks exist only on the Transformers side. Blocks:
    shape                       int32: vocab d_model d_kv d_ff heads enc_layers dec_layers buckets
                                max_distance gated tied
    weight/NAME                 NAME as in the state dict; tied copies left out
    train/enc_ids train/enc_start train/labels train/dec_start
    logits                      (decoder tokens, vocab)
    loss/KIND                   (1) mean over the target tokens; KIND is plain, smooth or focal
    grad/KIND/NAME              gradient of that mean
    optim/rows optim/lr optim/norm   (10) first rows used, learning rate and norm before clipping, by step
    after/NAME                  parameters after the ten steps
    gen/weight/NAME             another set of weights
    gen/enc_ids gen/enc_start   100 inputs
    gen/KIND                    (100, GEN_LENGTH) output without the start token, pad behind; KIND is
                                greedy, greedy_penalty, beam or beam_penalty
    gen/KIND_score              (100) for the beams: sequences_scores
The models with heads of 16 and 64, the widths that GPUs multiply on tensor cores, are there for attention: only one
pass, with logits, loss/plain and grad/plain.
"""

import os
import struct
import sys

import torch
import transformers
from transformers import T5Config, T5ForConditionalGeneration

PAD, EOS = 0, 1
GEN_ROWS, GEN_LENGTH, BEAMS, PENALTY = 100, 12, 4, 1.2
STEPS, WARMUP, CLIP, DECAY = 10, 3, 1.0, 0.01
NEAR_TIE = 1e-4  # relative: a choice closer than this is a toss-up in float32

# Both models start from Transformers' own initialisation. Then, in both of a fixture's two sets of weights:
# norm weights and relative biases are drawn wider, else a wrong index in them would hardly show; the
# decoder's last norm gets weights of both signs, else a tied random model only repeats its last
# token; everything is rounded to bfloat16 numbers, so that the bfloat16 figures tell of the
# arithmetic, not of how far the weights were moved by rounding (and the file is smaller).
# - The weights for training: embeddings share a common vector and ReLU layers lean on it, so that few of
#   their inputs are near zero. An input within rounding of zero switches its unit on or off, and the
#   relative error of a gradient grows as the square root of the rounding: with the plain
#   initialisation PyTorch's own autocast misses 3e-2 on such small models.
# - The weights for generation: `gen` multiplies some, so that outputs differ and some of them end.
MODELS = {
    "v1_0": dict(
        seed=32,
        gen_seed=29,
        lr=5e-3,
        config=dict(vocab_size=128, d_model=32, d_kv=8, num_heads=4, d_ff=64, num_layers=2,
                    num_decoder_layers=2, feed_forward_proj="relu"),
        tied=True,
        head=1.0,
        gen={"wo": 4.0, "SelfAttention.o": 2.0, "EncDecAttention.v": 2.0, "EncDecAttention.o": 2.0},
        gen_eos=3.0,
    ),
    "v1_1": dict(
        seed=12,
        gen_seed=17,
        lr=1e-2,
        config=dict(vocab_size=101, d_model=16, d_kv=12, num_heads=3, d_ff=60, num_layers=3,
                    num_decoder_layers=2, feed_forward_proj="gated-gelu",
                    relative_attention_num_buckets=20, relative_attention_max_distance=30),
        tied=False,
        head=0.25,
        gen={"wo": 2.0, "SelfAttention.o": 2.0, "EncDecAttention.v": 2.0, "EncDecAttention.o": 2.0,
             "lm_head": 1.5},
        gen_eos=2.0,
    ),
    "heads16": dict(
        seed=5,
        config=dict(vocab_size=48, d_model=24, d_kv=16, num_heads=3, d_ff=32, num_layers=2, num_decoder_layers=2,
                    feed_forward_proj="gated-gelu"),
        tied=False,
        head=0.25,
    ),
    "heads64": dict(
        seed=5,
        config=dict(vocab_size=48, d_model=16, d_kv=64, num_heads=2, d_ff=32, num_layers=1, num_decoder_layers=1,
                    feed_forward_proj="relu"),
        tied=True,
        head=1.0,
    ),
}


def random_model(spec):
    config = T5Config(dropout_rate=0.0, pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=PAD,
                      tie_word_embeddings=spec["tied"], **spec["config"])
    config._attn_implementation = "eager"
    assert config.scale_decoder_outputs == spec["tied"]
    model = T5ForConditionalGeneration(config).double().eval()
    if not spec["tied"]:  # this version of Transformers ties every new T5; a checkpoint's lm_head is its own
        model.lm_head.weight = torch.nn.Parameter(spec["head"] * torch.randn_like(model.lm_head.weight))
    for name, p in model.named_parameters():
        if "layer_norm" in name:
            p.copy_(1.0 + 0.2 * torch.randn_like(p))
        if "relative_attention_bias" in name:
            p.mul_(4.0)
    model.decoder.final_layer_norm.weight.normal_()
    return model


def round_weights(model):
    for p in model.parameters():
        p.copy_(p.bfloat16())
    return model


@torch.no_grad()
def training_model(spec):
    model = random_model(spec)
    d = model.config.d_model
    common = torch.randn(d, dtype=torch.double)
    common *= d ** 0.5 / common.norm()
    model.shared.weight.add_(2.0 * common)
    for name, p in model.named_parameters():
        if name.endswith(".wi.weight"):
            p.add_(1.5 / d * torch.sign(torch.randn(p.shape[0], 1)) * common)
    return round_weights(model)


@torch.no_grad()
def generation_model(spec):
    model = random_model(spec)
    for name, p in model.named_parameters():
        for key, factor in spec["gen"].items():
            if key in name:
                p.mul_(factor)
    model.lm_head.weight[EOS].mul_(spec["gen_eos"])
    return round_weights(model)


def pad(rows, value):
    width = max(len(r) for r in rows)
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def batch(inputs, targets=None):
    ids = pad(inputs, PAD)
    mask = pad([[1] * len(r) for r in inputs], 0)
    return (ids, mask) if targets is None else (ids, mask, pad(targets, -100))


def training_rows(generator, vocab):
    def tokens(n):
        return torch.randint(2, vocab, (n - 1,), generator=generator).tolist() + [EOS]

    inputs = [tokens(n) for n in (7, 1, 150, 23, 12, 40)]
    targets = [tokens(n) for n in (4, 6, 3, 1, 42, 5)]
    return inputs, targets


def token_losses(logits, labels, kind):
    """Per token: cross entropy, that smoothed by 0.1 as Trainer's LabelSmoother does, or focal loss
    with gamma 2 and alpha 1."""
    logp = torch.log_softmax(logits, -1)
    nll = -logp.gather(-1, labels[:, None])[:, 0]
    if kind == "smooth":
        return 0.9 * nll + 0.1 * -logp.mean(-1)
    if kind == "focal":
        return (1 - torch.exp(-nll)) ** 2 * nll
    return nll


def mean_loss(model, rows, kind):
    ids, mask, labels = batch(*rows)
    logits = model(input_ids=ids, attention_mask=mask, labels=labels).logits
    real = labels != -100
    return token_losses(logits[real], labels[real], kind).mean(), logits[real]


def train(model, rows, peak_lr):
    """Ten AdamW steps with label smoothing 0.1; odd steps take only the first two rows."""
    norm_weights = [p for n, p in model.named_parameters() if "layer_norm" in n]
    others = [p for n, p in model.named_parameters() if "layer_norm" not in n]
    optimizer = torch.optim.AdamW([{"params": others, "weight_decay": DECAY},
                                   {"params": norm_weights, "weight_decay": 0.0}],
                                  lr=peak_lr, betas=(0.9, 0.999), eps=1e-8)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    used, lrs, norms = [], [], []
    for step in range(STEPS):
        n = len(rows[0]) if step % 2 == 0 else 2
        optimizer.zero_grad()
        loss, _ = mean_loss(model, (rows[0][:n], rows[1][:n]), "smooth")
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item())
        lrs.append(optimizer.param_groups[0]["lr"])  # of step 0: 0, as LambdaLR has it
        used.append(n)
        optimizer.step()
        schedule.step()
    return used, lrs, norms


class Margins:
    """Per row, the smallest relative distance of two candidates whose order decides something."""

    def __init__(self, n):
        self.value = torch.full((n,), float("inf"), dtype=torch.double)

    def note(self, row, a, b):
        if a > -1e8 and b > -1e8:
            gap = abs(a - b) / max(abs(a), abs(b), 1e-3)
            self.value[row] = min(self.value[row], gap)

    def note_step(self, log_probs, vocab):
        """One beam step: log_probs (rows, beams * vocab). The fourth and fifth candidate that go on, and an end
        token against the border of the best four."""
        values, index = torch.topk(log_probs.double(), 4 * BEAMS)
        for row in range(values.shape[0]):
            v, ends = values[row].tolist(), (index[row] % vocab == EOS).tolist()
            going = [x for x, e in zip(v, ends) if not e]
            self.note(row, going[BEAMS - 1], going[BEAMS])
            for i in range(2 * BEAMS):
                if ends[i]:
                    self.note(row, v[i], v[BEAMS] if i < BEAMS else v[BEAMS - 1])


def generate(model, inputs, beams, penalty):
    """Output ids without the start token (rows, GEN_LENGTH), scores, margins."""
    ids, mask = batch(inputs)
    n, vocab = len(inputs), model.config.vocab_size
    margins = Margins(n)
    options = dict(input_ids=ids, attention_mask=mask, max_new_tokens=GEN_LENGTH, num_beams=beams,
                   do_sample=False, repetition_penalty=penalty, return_dict_in_generate=True,
                   output_scores=True)
    if beams == 1:
        out = model.generate(**options)
        sequences, scores = out.sequences[:, 1:], torch.zeros(n)
        for t, step in enumerate(out.scores):
            best = torch.topk(step.double(), 2)[0].tolist()
            for row in range(n):
                if t == 0 or EOS not in sequences[row, :t].tolist():
                    margins.note(row, *best[row])
    else:
        inner = model._get_top_k_continuations

        def watched(*args, **kwargs):
            margins.note_step(kwargs["accumulated_log_probs"], vocab)
            return inner(*args, **kwargs)

        model._get_top_k_continuations = watched
        try:
            out = model.generate(length_penalty=1.0, early_stopping=True,
                                 num_return_sequences=beams, **options)
        finally:
            del model._get_top_k_continuations
        sequences, scores = out.sequences[::beams, 1:], out.sequences_scores[::beams]
        for row in range(n):
            margins.note(row, *out.sequences_scores[row * beams:row * beams + 2].tolist())
    full = torch.full((n, GEN_LENGTH), PAD)
    full[:, :sequences.shape[1]] = sequences
    # Beam search fills with the end token when the padding token is 0; here it is padding everywhere.
    behind_end = (full == EOS).cumsum(1) - (full == EOS).int() > 0
    full[behind_end] = PAD
    return full, scores.float(), margins.value


def generation(model, generator):
    """100 inputs none of whose decisions is a near tie, and their outputs. Rows are independent of each other, so
    dropping one changes no other."""
    vocab = model.config.vocab_size
    inputs = []
    for _ in range(4 * GEN_ROWS):
        n = int(torch.randint(1, 20, (1,), generator=generator))
        inputs.append(torch.randint(2, vocab, (n - 1,), generator=generator).tolist() + [EOS])
    kinds = {"greedy": (1, 1.0), "greedy_penalty": (1, PENALTY), "beam": (BEAMS, 1.0),
             "beam_penalty": (BEAMS, PENALTY)}
    with torch.no_grad():
        results = {kind: generate(model, inputs, *how) for kind, how in kinds.items()}
    margin = torch.stack([r[2] for r in results.values()]).amin(0)
    clear = [i for i in range(len(inputs)) if margin[i] >= NEAR_TIE]
    keep = clear[:GEN_ROWS]
    assert len(keep) == GEN_ROWS, "too many near ties: take another seed"
    print(f"  generation: {len(inputs) - len(clear)} of {len(inputs)} inputs have a near tie, "
          f"smallest margin kept {margin[keep].min():.1e}")
    outputs = {}
    for kind, (sequences, scores, _) in results.items():
        sequences, scores = sequences[keep], scores[keep]
        ended = (sequences == EOS).any(1)
        lengths = (sequences == EOS).int().argmax(1)[ended]
        print(f"  {kind}: {len(set(map(tuple, sequences.tolist())))} distinct outputs, "
              f"{len(sequences.unique())} distinct tokens, {int(ended.sum())} end at positions "
              f"{sorted(set(lengths.tolist()))}")
        outputs[kind] = (sequences, scores)
    return [inputs[i] for i in keep], outputs


class Writer:
    FORMATS = {"f32": (0, torch.float32), "i32": (1, torch.int32), "bf16": (2, torch.bfloat16)}

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(b"T5FIX01\n")

    def put(self, name, values, kind="f32"):
        number, dtype = self.FORMATS[kind]
        values = torch.as_tensor(values).detach()
        stored = values.to(dtype).contiguous()
        assert kind != "bf16" or bool((stored.to(values.dtype) == values).all()), name
        raw = stored.view(torch.int16) if kind == "bf16" else stored
        name = name.encode()
        self.file.write(struct.pack(f"<3I{stored.dim()}I", number, len(name), stored.dim(), *stored.shape))
        self.file.write(name)
        self.file.write(raw.numpy().tobytes())  # little-endian hosts only

    def put_packed(self, name, rows, start_name):
        start = [0]
        for r in rows:
            start.append(start[-1] + len(r))
        self.put(name, [t for r in rows for t in r], "i32")
        self.put(start_name, start, "i32")

    def close(self):
        size = self.file.tell()
        self.file.close()
        return size


def put_gradients(out, model, rows, kinds):
    for kind in kinds:
        model.zero_grad()
        loss, logits = mean_loss(model, rows, kind)
        loss.backward()
        if kind == "plain":
            out.put("logits", logits)
        out.put("loss/" + kind, [loss.item()])
        norm = 0.0
        for key, p in model.named_parameters():
            out.put(f"grad/{kind}/{key}", p.grad)
            norm += p.grad.square().sum().item()
        print(f"  {kind}: loss {loss.item():.4f}, gradient norm {norm ** 0.5:.3f}")


def put_training(out, model, rows, lr):
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    used, lrs, norms = train(model, rows, lr)
    moved = [((p - before[key]).norm() / before[key].norm()).item() for key, p in model.named_parameters()]
    print(f"  ten steps: norms {[round(n, 2) for n in norms]}, parameters moved by {min(moved):.3f} to "
          f"{max(moved):.3f} of their norm")
    assert min(norms) < CLIP < max(norms), "clipping must be active in some steps and not in others"
    out.put("optim/rows", used, "i32")
    out.put("optim/lr", lrs)
    out.put("optim/norm", norms)
    for key, p in model.named_parameters():
        out.put("after/" + key, p)


def make(name, spec, folder):
    print(name)
    torch.manual_seed(spec["seed"])
    generator = torch.Generator().manual_seed(spec["seed"])
    model = training_model(spec)
    config = model.config
    rows = training_rows(generator, config.vocab_size)
    path = os.path.join(folder, name + ".t5fix")
    out = Writer(path)
    out.put("shape", [config.vocab_size, config.d_model, config.d_kv, config.d_ff, config.num_heads,
                      config.num_layers, config.num_decoder_layers,
                      config.relative_attention_num_buckets, config.relative_attention_max_distance,
                      int(config.is_gated_act), int(spec["tied"])], "i32")
    for key, p in model.named_parameters():
        out.put("weight/" + key, p, "bf16")
    out.put_packed("train/enc_ids", rows[0], "train/enc_start")
    out.put_packed("train/labels", rows[1], "train/dec_start")
    whole = "gen" in spec
    put_gradients(out, model, rows, ("plain", "smooth", "focal") if whole else ("plain",))
    if whole:
        put_training(out, model, rows, spec["lr"])
        put_generation(out, spec, generator)
    print(f"  {path}: {out.close()} bytes")


def put_generation(out, spec, generator):
    torch.manual_seed(spec["gen_seed"])
    model = generation_model(spec)
    for key, p in model.named_parameters():
        out.put("gen/weight/" + key, p, "bf16")
    inputs, outputs = generation(model, generator)
    out.put_packed("gen/enc_ids", inputs, "gen/enc_start")
    for kind, (sequences, scores) in outputs.items():
        out.put("gen/" + kind, sequences, "i32")
        if kind.startswith("beam"):
            out.put(f"gen/{kind}_score", scores)


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    os.makedirs(folder, exist_ok=True)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MODELS:
        make(name, MODELS[name], folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
