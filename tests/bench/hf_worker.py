"""One set-up of hf_trainer.py, in a process of its own: Transformers trains or generates, in turns with the others."""

import json
import os
import random
import sys
import tempfile
import time

MAX_INPUT, MAX_TARGET, PAD, EOS = 128, 32, 0, 1
SIZES = {"small": dict(d_model=512, d_ff=2048, num_layers=6, num_heads=8),
         "base": dict(d_model=768, d_ff=3072, num_layers=12, num_heads=12)}


# ---------------------------------------------------------------- the rows

def read_rows(options):
    """The rows of t5bench's own turn, in its order: it warms up with other ones."""
    with open(options.data, encoding="ascii") as f:
        rows = [json.loads(line) for line in f]
    half = len(rows) // 2
    return rows[:half] if options.task == "train" else rows[half:]


def grouped(rows, width):
    """The same rows, such that batches of `width` are of about one length; the batches shuffled."""
    rows = sorted(rows, key=lambda r: (len(r["input_ids"]), len(r["labels"])))
    batches = [rows[i : i + width] for i in range(0, len(rows), width)]
    random.Random(42).shuffle(batches)
    return [row for batch in batches for row in batch]


def pad(rows, value, width, step):
    import torch

    width = width or -(-max(len(r) for r in rows) // step) * step
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def collate(rows, width=(0, 0), step=1):
    """width: of inputs and targets; 0: the longest, rounded up to a multiple of step."""
    inputs, targets = [r["input_ids"] for r in rows], [r["labels"] for r in rows]
    return {"input_ids": pad(inputs, PAD, width[0], step),
            "attention_mask": pad([[1] * len(r) for r in inputs], 0, width[0], step),
            "labels": pad(targets, -100, width[1], step),
            "decoder_input_ids": pad([[PAD] + r[:-1] for r in targets], PAD, width[1], step)}


# ---------------------------------------------------------------- one set-up, in a process of its own

class Turns:
    """A worker's side: it works when the driver writes a line and answers with rows a second and its memory."""

    def __init__(self, device):
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever the libraries print
        self.cuda = device == "cuda"
        self.begin = time.monotonic()

    def settle(self):
        if self.cuda:
            import torch

            torch.cuda.synchronize()

    def wait(self):
        self.settle()
        if not sys.stdin.readline():
            os._exit(0)
        self.begin = time.monotonic()

    def memory(self):
        if self.cuda:
            import torch

            return torch.cuda.max_memory_allocated()
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))

    def answer(self, rows):
        self.settle()
        rate = rows / (time.monotonic() - self.begin)
        print(json.dumps({"rate": rate, "memory": self.memory()}), file=self.answers, flush=True)


def make_model(options, words):
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(42)
    config = T5Config(vocab_size=options.vocab, d_kv=64, feed_forward_proj="relu", dropout_rate=0.1, pad_token_id=PAD,
                      eos_token_id=EOS, decoder_start_token_id=PAD,
                      attn_implementation="eager" if "eager" in words else "sdpa", **SIZES[options.size])
    model = T5ForConditionalGeneration(config)
    return model.bfloat16() if "bf16" in words else model


def trainer_arguments(options, words, folder):
    import torch
    from transformers import TrainingArguments

    more = {}
    if options.worker == "b" and options.device == "cuda":
        has_tf32 = torch.cuda.get_device_capability() >= (8, 0)
        more = dict(optim="adamw_torch_fused", tf32="fp32" not in words if has_tf32 else None,
                    logging_nan_inf_filter=False, dataloader_num_workers=2, dataloader_persistent_workers=True)
    if "graphs" in words:
        more["torch_compile_mode"] = "reduce-overhead"
    return TrainingArguments(
        output_dir=folder, max_steps=1000000, per_device_train_batch_size=options.rows, learning_rate=1e-4,
        warmup_steps=150, weight_decay=0.01, max_grad_norm=1.0, label_smoothing_factor=0.1,
        use_cpu=options.device == "cpu", bf16="autocast" in words, torch_compile=bool({"compile", "graphs"} & words),
        save_strategy="no", remove_unused_columns=False, report_to=[], logging_steps=1000000, disable_tqdm=True, **more)


class Collator:
    """Of a Trainer; an object, because processes of their own may have to be given it."""

    def __init__(self, options, words):
        original = options.worker == "a"
        self.width = (MAX_INPUT * options.join, MAX_TARGET * options.join) if original else (0, 0)
        self.step = 16 if "pad16" in words else 1

    def __call__(self, rows):
        return collate(rows, self.width, self.step)


def train(options, words, rows, turns):
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainerCallback

    original = options.worker == "a"
    steps = options.steps_a if original else options.steps

    class Clock(TrainerCallback):
        # Warm-up: all widths of (b), which torch.compile has to meet once; what is compiled for any width, or
        # recorded as a graph, is so at the second meeting.
        done = -1 if original else -steps * (2 if {"compile", "graphs"} & words else 1)

        def on_step_begin(self, args, state, control, **kwargs):
            if self.done == 0:
                turns.wait()

        def on_step_end(self, args, state, control, **kwargs):
            self.done += 1
            if self.done == 0:
                turns.answer(0)  # ready
            elif self.done == steps:
                turns.answer(steps * options.rows)
                self.done = 0

    class InOrder(Trainer):
        def _get_train_sampler(self, *arguments):
            return SequentialSampler(self.train_dataset)

    with tempfile.TemporaryDirectory() as folder:
        InOrder(model=make_model(options, words), args=trainer_arguments(options, words, folder), callbacks=[Clock()],
                train_dataset=rows if original else grouped(rows, options.rows),
                data_collator=Collator(options, words)).train()


def evaluate(options, words, rows, turns):
    import torch

    if options.device == "cuda" and "fp32" not in words:
        torch.set_float32_matmul_precision("high")  # TF32; in training the Trainer sets it
    model = make_model(options, words).eval().to(options.device)
    width = 1 if options.worker == "a" else options.batch
    chosen = rows[: options.single] if options.worker == "a" else grouped(rows, width)
    model.generation_config.use_cache = True
    if "static" in words:
        model.generation_config.cache_implementation = "static"
    if "compile" in words:
        model.forward = torch.compile(model.forward, dynamic=True)

    def once():
        for i in range(0, len(chosen), width):
            batch = collate(chosen[i : i + width])
            with torch.inference_mode(), torch.autocast(options.device, torch.bfloat16, enabled="autocast" in words):
                out = model.generate(input_ids=batch["input_ids"].to(options.device),
                                     attention_mask=batch["attention_mask"].to(options.device),
                                     max_new_tokens=options.tokens, min_new_tokens=options.tokens, do_sample=False,
                                     num_beams=1)
            assert out.shape == (len(batch["input_ids"]), options.tokens + 1)

    once()
    turns.answer(0)
    while True:
        turns.wait()
        once()
        turns.answer(len(chosen))


def work(options):
    import torch

    turns = Turns(options.device)
    torch.set_num_threads(options.threads)
    words = set(options.variant.split("+"))
    (train if options.task == "train" else evaluate)(options, words, read_rows(options), turns)
