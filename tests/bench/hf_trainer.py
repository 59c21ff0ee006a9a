#!/usr/bin/env python3
"""t5bench next to Transformers, on the same cores and the same rows in one run.

    python3 tests/bench/hf_trainer.py --t5bench build/t5bench [--size small base] [--task train evaluate]
    python3 tests/bench/hf_trainer.py --search ...      which of VARIANTS is the best (b) on this machine

Random T5-small or T5-base (v1.0, vocabulary 32,128) on the rows that `t5bench --dump` puts out, 16 a training batch,
dropout 0.1, label smoothing 0.1, AdamW, clipping. Four set-ups take turns, each a process of its own:

    (a)  the original's: Trainer in float32, inputs padded to 128 and targets to 32; generation row by row, the input
         as long as it is
    (b)  what is fastest for Transformers on a CPU: rows grouped by length and padded to the longest of their batch;
         generation in batches of rows of about one length; --variant-train and --variant-evaluate say the rest
    t5bench in float32 and in bfloat16

A variant is words joined by +: a precision (fp32, autocast: float32 weights and bfloat16 arithmetic, bf16: bfloat16
weights, for evaluation only), an attention that T5 has in Transformers (sdpa, eager), then compile (torch.compile,
which needs a C++ compiler) and static (a key-value cache of one size, for evaluation only) if wanted.

Grouping by length is done here, over all rows of a turn, not by the Trainer, which would group fewer at a time in a
list this short: (b) gets batches at least as even as in a real run. (a)'s steps cost the same whatever the rows are,
so it makes fewer. Evaluation is greedy and puts out --tokens tokens a row, with the end token forbidden, on both
sides: random weights end anywhere. The clock stands still while the others have their turn. Ratios are medians over
the rounds of the ratio within a round; memory is the peak of the whole process (VmHWM), Python's libraries included.
Needs torch, transformers, accelerate. Not a test: it has no verdict.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROWS, MAX_INPUT, MAX_TARGET, PAD, EOS, VOCAB = 16, 128, 32, 0, 1, 32128
SIZES = {"small": dict(d_model=512, d_ff=2048, num_layers=6, num_heads=8),
         "base": dict(d_model=768, d_ff=3072, num_layers=12, num_heads=12)}
WORDS = {"train": {"fp32", "autocast", "sdpa", "eager", "compile"},
         "evaluate": {"fp32", "autocast", "bf16", "sdpa", "eager", "compile", "static"}}
VARIANTS = {"train": ["autocast+sdpa", "autocast+eager", "autocast+sdpa+compile", "fp32+sdpa", "fp32+sdpa+compile"],
            "evaluate": ["autocast+sdpa", "bf16+sdpa", "bf16+eager", "bf16+sdpa+compile", "bf16+sdpa+compile+static",
                         "fp32+sdpa", "fp32+sdpa+compile"]}
AIMS = {"train": (6, 2), "evaluate": (20, 3)}  # times (a), times (b)


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


def pad(rows, value, width):
    import torch

    width = width or max(len(r) for r in rows)
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def collate(rows, padded):
    inputs, targets = [r["input_ids"] for r in rows], [r["labels"] for r in rows]
    widths = (MAX_INPUT, MAX_TARGET) if padded else (0, 0)
    return {"input_ids": pad(inputs, PAD, widths[0]),
            "attention_mask": pad([[1] * len(r) for r in inputs], 0, widths[0]), "labels": pad(targets, -100, widths[1]),
            "decoder_input_ids": pad([[PAD] + r[:-1] for r in targets], PAD, widths[1])}


# ---------------------------------------------------------------- one set-up, in a process of its own

class Turns:
    """A worker's side: it works when the driver writes a line and answers with rows a second and its memory."""

    def __init__(self):
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever the libraries print
        self.begin = time.monotonic()

    def wait(self):
        if not sys.stdin.readline():
            os._exit(0)
        self.begin = time.monotonic()

    def answer(self, rows):
        rate = rows / (time.monotonic() - self.begin)
        with open("/proc/self/status") as f:
            memory = next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))
        print(json.dumps({"rate": rate, "memory": memory}), file=self.answers, flush=True)


def make_model(options, words):
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(42)
    config = T5Config(vocab_size=VOCAB, d_kv=64, feed_forward_proj="relu", dropout_rate=0.1, pad_token_id=PAD,
                      eos_token_id=EOS, decoder_start_token_id=PAD,
                      attn_implementation="eager" if "eager" in words else "sdpa", **SIZES[options.size])
    model = T5ForConditionalGeneration(config)
    return model.bfloat16() if "bf16" in words else model


def train(options, words, rows, turns):
    from transformers import Trainer, TrainerCallback, TrainingArguments

    original = options.worker == "a"
    steps = options.steps_a if original else options.steps

    class Clock(TrainerCallback):
        done = -1 if original else -steps  # warm-up: all widths of (b), which torch.compile has to meet once

        def on_step_begin(self, args, state, control, **kwargs):
            if self.done == 0:
                turns.wait()

        def on_step_end(self, args, state, control, **kwargs):
            self.done += 1
            if self.done == 0:
                turns.answer(0)  # ready
            elif self.done == steps:
                turns.answer(steps * ROWS)
                self.done = 0

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=1000000, per_device_train_batch_size=ROWS, learning_rate=1e-4,
            warmup_steps=150, weight_decay=0.01, max_grad_norm=1.0, label_smoothing_factor=0.1, use_cpu=True,
            bf16="autocast" in words, torch_compile="compile" in words, train_sampling_strategy="sequential",
            save_strategy="no", remove_unused_columns=False, report_to=[], logging_steps=1000000, disable_tqdm=True)
        Trainer(model=make_model(options, words), args=arguments, callbacks=[Clock()],
                train_dataset=rows if original else grouped(rows, ROWS),
                data_collator=lambda batch: collate(batch, original)).train()


def evaluate(options, words, rows, turns):
    import torch

    model = make_model(options, words).eval()
    width = 1 if options.worker == "a" else options.batch
    chosen = rows[: options.single] if options.worker == "a" else grouped(rows, width)
    model.generation_config.use_cache = True
    if "static" in words:
        model.generation_config.cache_implementation = "static"
    if "compile" in words:
        model.forward = torch.compile(model.forward, dynamic=True)

    def once():
        for i in range(0, len(chosen), width):
            batch = collate(chosen[i : i + width], False)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled="autocast" in words):
                out = model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
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

    turns = Turns()
    torch.set_num_threads(options.threads)
    words = set(options.variant.split("+"))
    (train if options.task == "train" else evaluate)(options, words, read_rows(options), turns)


# ---------------------------------------------------------------- the driver

class Worker:
    """(a), or (b) as a variant; alive, and waiting, between its turns."""

    def __init__(self, options, name, variant):
        numbers = ("threads", "steps", "steps_a", "tokens", "batch", "single")
        self.command = [sys.executable, os.path.abspath(__file__), "--worker", name, "--variant", variant, "--data",
                        options.data, "--size", options.size, "--task", options.task]
        for key in numbers:
            self.command += ["--" + key.replace("_", "-"), str(getattr(options, key))]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, OMP_NUM_THREADS=str(options.threads)))
        self.rates, self.memory = [], 0
        self.hear()  # it has warmed up

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"gave up: {' '.join(self.command)}")
        answer = json.loads(line)
        self.memory = answer["memory"]
        return answer["rate"]

    def turn(self):
        print("go", file=self.process.stdin, flush=True)
        self.rates.append(self.hear())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    """t5bench, started anew for each turn: its own warm-up is not counted."""

    def __init__(self, options, precision):
        self.command = bench_command(options) + ["--size", options.size, "--precision", precision, "--threads",
                                                 str(options.threads)]
        if options.task == "evaluate":
            self.command += ["--evaluate", "--tokens", str(options.tokens)]
        self.rates, self.memory = [], 0

    def turn(self):
        out = subprocess.run(self.command, check=True, capture_output=True, text=True).stdout
        self.rates.append(float(re.search(r"([0-9.]+) rows/s", out)[1]))
        self.memory = max(self.memory, 1e6 * float(re.search(r"([0-9.]+) MB in all", out)[1]))

    def stop(self):
        pass


def bench_command(options):
    rows, steps = (ROWS, options.steps) if options.task == "train" else (options.batch, options.batches)
    return [options.t5bench, "--rows", str(rows), "--steps", str(steps), "--rounds", "1"]


def ratio(mine, other):
    """Of each round, so that what slows the machine down meets both sides."""
    return statistics.median(x / y for x, y in zip(mine.rates, other.rates))


def compare(options):
    """A line of the table."""
    b = options.variant_train if options.task == "train" else options.variant_evaluate
    runs = [Worker(options, "a", "fp32+sdpa"), Worker(options, "b", b), Bench(options, "fp32"), Bench(options, "bf16")]
    for _ in range(options.rounds):
        for run in runs:
            run.turn()
    for run in runs:
        run.stop()
    first, second, fp32, bf16 = runs
    aim_a, aim_b = AIMS[options.task]
    rates = " | ".join(f"{statistics.median(r.rates):.1f} ({min(r.rates):.1f}-{max(r.rates):.1f})" for r in runs)
    ratios = " | ".join(f"{ratio(r, first):.1f}, {ratio(r, second):.2f}" for r in (fp32, bf16))
    memory = ", ".join(f"{r.memory / 1e6:.0f}" for r in runs)
    return (f"| {options.size} | {options.task} | {b} | {rates} | {ratios} | {aim_a}, {aim_b} | {memory} | "
            f"{fp32.memory / second.memory:.2f}, {bf16.memory / second.memory:.2f} |")


def search(options):
    """Each variant alone, one behind the other."""
    for variant in options.variants or VARIANTS[options.task]:
        try:
            worker = Worker(options, "b", variant)
            for _ in range(options.rounds):
                worker.turn()
            worker.stop()
            print(f"| {options.size} | {options.task} | {variant} | {statistics.median(worker.rates):.1f} "
                  f"({min(worker.rates):.1f}-{max(worker.rates):.1f}) | {worker.memory / 1e6:.0f} |", flush=True)
        except RuntimeError:
            print(f"| {options.size} | {options.task} | {variant} | fails | |", flush=True)


def versions(options):
    import accelerate
    import torch
    import transformers

    return (f"torch {torch.__version__}, transformers {transformers.__version__}, accelerate "
            f"{accelerate.__version__}; {options.threads} threads; {options.rounds} rounds; load before "
            f"{os.getloadavg()[0]:.1f}")


def drive(options):
    print(f"{versions(options)}\n")
    if options.search:
        print("| size | task | variant of (b) | rows/s | peak MB |\n| --- | --- | --- | --- | --- |", flush=True)
    else:
        print("| size | task | (b) is | (a) rows/s | (b) rows/s | t5bench fp32 | t5bench bf16 | fp32 over (a), (b) | "
              "bf16 over (a), (b) | aim | peak MB: (a), (b), fp32, bf16 | peak over (b)'s |")
        print("| --- " * 12 + "|", flush=True)
    for size in options.sizes:
        for task in options.tasks:
            options.size, options.task = size, task
            with tempfile.NamedTemporaryFile("w", encoding="ascii") as data:
                subprocess.run(bench_command(options) + ["--dump"], check=True, stdout=data)
                options.data = data.name
                if options.search:
                    search(options)
                else:
                    print(compare(options), flush=True)


def variant(text):
    words = text.split("+")
    if len(set(words)) != len(words) or not set(words) <= WORDS["evaluate"]:
        raise argparse.ArgumentTypeError(f"not a variant: {text}")
    return text


def main():
    parser = argparse.ArgumentParser(description="t5bench next to Transformers; see the top of this file.")
    parser.add_argument("--t5bench", default="build/t5bench")
    parser.add_argument("--size", dest="sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--task", dest="tasks", nargs="+", choices=WORDS, default=list(WORDS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24, help="of training a round")
    parser.add_argument("--steps-a", type=int, default=4, help="of (a)'s training a round")
    parser.add_argument("--tokens", type=int, default=MAX_TARGET, help="put out a row")
    parser.add_argument("--batch", type=int, default=64, help="rows a batch of generation")
    parser.add_argument("--batches", type=int, default=4, help="batches of generation a round")
    parser.add_argument("--single", type=int, default=8, help="rows of (a)'s generation a round")
    parser.add_argument("--variant-train", type=variant, default="autocast+sdpa", help="(b) in training")
    parser.add_argument("--variant-evaluate", type=variant, default="bf16+sdpa", help="(b) in evaluation")
    parser.add_argument("--search", action="store_true", help="time variants of (b), nothing else")
    parser.add_argument("--variants", nargs="+", type=variant, help="which, with --search")
    parser.add_argument("--worker", choices=["a", "b"], help=argparse.SUPPRESS)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        options.size, options.task = options.sizes[0], options.tasks[0]
        work(options)
        return 0
    for task in options.tasks:
        chosen = options.variants or [] if options.search else [getattr(options, "variant_" + task)]
        for text in chosen:
            if not set(text.split("+")) <= WORDS[task]:
                parser.error(f"{text} is nothing for {task}")
    try:
        drive(options)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as problem:
        print(f"hf_trainer.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
