#!/usr/bin/env python3
"""t5bench next to Transformers, on the same device and the same rows in one run.

    python3 tests/bench/hf_trainer.py --t5bench build/t5bench [--size small base] [--task train evaluate]
    python3 tests/bench/hf_trainer.py --device cuda --t5bench build/t5bench [--rows 16 128] [--join 1 2]
    python3 tests/bench/hf_trainer.py --search ...      which of VARIANTS is the best (b) on this machine

Random T5-small or T5-base (v1.0, vocabulary 32,128; on a GPU 32,128 + 785) on the rows that `t5bench --dump` puts out
(--join 2: twice as long), --rows a training batch, dropout 0.1, label smoothing 0.1, AdamW, clipping. Four set-ups take
turns, each a process of its own:

    (a)  the original's: Trainer in float32 (no TF32), inputs padded to 128 and targets to 32, times --join; generation
         row by row, the input as long as it is
    (b)  what is fastest for Transformers: rows grouped by length and padded to the longest of their batch; on a GPU
         fused AdamW, TF32 for what is left of float32, batches made by processes of their own, no look at every step's
         loss; generation in batches of rows of about one length; --variant-train and --variant-evaluate say the rest
    t5bench in float32 and in bfloat16

A variant is words joined by +: a precision (fp32, tf32, autocast: float32 weights and bfloat16 arithmetic, bf16:
bfloat16 weights, for evaluation only), an attention that T5 has in Transformers (sdpa, eager), then compile
(torch.compile, which needs a C++ compiler), graphs (that with CUDA graphs), pad16 (lengths rounded up to 16s, so that
fewer are compiled) and static (a key-value cache of one size, for evaluation only) if wanted.

Grouping by length is done here, over all rows of a turn, not by the Trainer, which would group fewer at a time in a
list this short: (b) gets batches at least as even as in a real run. (a)'s steps cost the same whatever the rows are,
so it makes fewer. Evaluation is greedy and puts out --tokens tokens a row, with the end token forbidden, on both
sides: random weights end anywhere. The clock stands still while the others have their turn; on a GPU it is read when
the GPU has done what it was given. Ratios are medians over the rounds of the ratio within a round. Memory is the peak
of the whole process (VmHWM), Python's libraries included; on a GPU what PyTorch (max_memory_allocated) and t5bench's
device have allocated at most. The set-ups are in hf_worker.py. Needs torch, transformers,
accelerate. Not a test: it has no verdict; exit status 2 where the device is not there.
"""

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile

from hf_worker import MAX_TARGET, SIZES, work

PRECISIONS = {"fp32", "tf32", "autocast", "bf16"}
WORDS = {"train": {"fp32", "tf32", "autocast", "sdpa", "eager", "compile", "graphs", "pad16"},
         "evaluate": {"fp32", "tf32", "autocast", "bf16", "sdpa", "eager", "compile", "static"}}
GPU_WORDS = {"tf32", "graphs"}
VARIANTS = {
    "cpu": {"train": ["autocast+sdpa", "autocast+eager", "autocast+sdpa+compile", "fp32+sdpa", "fp32+sdpa+compile"],
            "evaluate": ["autocast+sdpa", "bf16+sdpa", "bf16+eager", "bf16+sdpa+compile", "bf16+sdpa+compile+static",
                         "fp32+sdpa", "fp32+sdpa+compile"]},
    "cuda": {"train": ["autocast+sdpa", "autocast+eager", "tf32+sdpa", "autocast+sdpa+compile",
                       "autocast+eager+compile", "autocast+sdpa+compile+pad16", "autocast+sdpa+graphs+pad16"],
             "evaluate": ["bf16+sdpa", "bf16+eager", "autocast+sdpa", "tf32+sdpa", "bf16+sdpa+compile",
                          "bf16+sdpa+static", "bf16+sdpa+compile+static"]}}
# What depends on the device, where the command line does not say it.
DEFAULTS = {"cpu": dict(vocab=32128, rows=[16], steps_a=4, batch=64, single=8),
            "cuda": dict(vocab=32128 + 785, rows=[16, 128], steps_a=24, batch=128, single=32)}


def aims(options):
    """Times (a), times (b), memory over (b)'s; None: nobody said."""
    if options.task == "evaluate":
        return 20, 3, 0.5
    if options.device == "cpu":
        return 6, 2, 0.5
    return (10, 3, 0.5) if options.rows == 16 else (None, 2, 0.5)


# ---------------------------------------------------------------- the driver

class Worker:
    """(a), or (b) as a variant; alive, and waiting, between its turns."""

    def __init__(self, options, name, variant):
        numbers = ("threads", "rows", "join", "vocab", "steps", "steps_a", "tokens", "batch", "single")
        self.command = [sys.executable, os.path.abspath(__file__), "--worker", name, "--variant", variant, "--data",
                        options.data, "--size", options.size, "--task", options.task, "--device", options.device]
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
                                                 str(options.threads), "--device", options.device, "--vocab",
                                                 str(options.vocab)]
        if options.task == "evaluate":
            self.command += ["--evaluate", "--tokens", str(options.tokens)]
        self.peak = r"device peak +([0-9.]+) MB" if options.device == "cuda" else r"([0-9.]+) MB in all"
        self.rates, self.memory = [], 0

    def turn(self):
        run = subprocess.run(self.command, capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)}: {run.stderr.strip()}")
        self.rates.append(float(re.search(r"([0-9.]+) rows/s", run.stdout)[1]))
        self.memory = max(self.memory, 1e6 * float(re.search(self.peak, run.stdout)[1]))

    def stop(self):
        pass


def bench_command(options):
    rows, steps = (options.rows, options.steps) if options.task == "train" else (options.batch, options.batches)
    return shlex.split(options.t5bench) + ["--rows", str(rows), "--join", str(options.join), "--steps", str(steps),
                                           "--rounds", "1"]


def ratio(mine, other):
    """Of each round, so that what slows the machine down meets both sides."""
    return statistics.median(x / y for x, y in zip(mine.rates, other.rates))


def compare(options):
    """A line of the table."""
    b = options.variant_train if options.task == "train" else options.variant_evaluate
    runs = []
    try:
        for name, variant in (("a", "fp32+sdpa"), ("b", b)):
            runs.append(Worker(options, name, variant))
        runs += [Bench(options, "fp32"), Bench(options, "bf16")]
        for _ in range(options.rounds):
            for run in runs:
                run.turn()
    finally:
        for run in runs:
            run.stop()
    first, second, fp32, bf16 = runs
    aim = ", ".join("-" if x is None else str(x) for x in aims(options))
    rates = " | ".join(f"{statistics.median(r.rates):.1f} ({min(r.rates):.1f}-{max(r.rates):.1f})" for r in runs)
    ratios = " | ".join(f"{ratio(r, first):.1f}, {ratio(r, second):.2f}" for r in (fp32, bf16))
    memory = ", ".join(f"{r.memory / 1e6:.0f}" for r in runs)
    return (f"| {head_of(options)} | {b} | {rates} | {ratios} | {aim} | {memory} | "
            f"{fp32.memory / second.memory:.2f}, {bf16.memory / second.memory:.2f} |")


def head_of(options):
    batch = f"{options.rows}" if options.task == "train" else f"{options.batch}"
    return f"{options.size} | {options.task} | {batch} x {options.join}"


def search(options):
    """Each variant alone, one behind the other."""
    for variant in options.variants or VARIANTS[options.device][options.task]:
        try:
            worker = Worker(options, "b", variant)
            for _ in range(options.rounds):
                worker.turn()
            worker.stop()
            print(f"| {head_of(options)} | {variant} | {statistics.median(worker.rates):.1f} "
                  f"({min(worker.rates):.1f}-{max(worker.rates):.1f}) | {worker.memory / 1e6:.0f} |", flush=True)
        except RuntimeError:
            print(f"| {head_of(options)} | {variant} | fails | |", flush=True)


def versions(options):
    import accelerate
    import torch
    import transformers

    gpu = ""
    if options.device == "cuda":
        gpu = f"; {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return (f"torch {torch.__version__}, transformers {transformers.__version__}, accelerate "
            f"{accelerate.__version__}{gpu}; vocabulary {options.vocab}; {options.threads} threads; {options.rounds} "
            f"rounds; load before {os.getloadavg()[0]:.1f}")


def cases(options):
    """What a line of the table is about, set in options. Batches of generation do not depend on --rows."""
    for size in options.sizes:
        for task in options.tasks:
            for rows in options.all_rows if task == "train" else options.all_rows[:1]:
                for join in options.joins:
                    options.size, options.task, options.rows, options.join = size, task, rows, join
                    yield


def drive(options):
    """Whether every case could be measured."""
    fine = True
    print(f"{versions(options)}\n")
    if options.search:
        print("| size | task | rows x length | variant of (b) | rows/s | peak MB |\n" + "| --- " * 6 + "|", flush=True)
    else:
        print("| size | task | rows x length | (b) is | (a) rows/s | (b) rows/s | t5bench fp32 | t5bench bf16 | fp32 "
              "over (a), (b) | bf16 over (a), (b) | aims | peak MB: (a), (b), fp32, bf16 | peak over (b)'s |\n"
              + "| --- " * 13 + "|", flush=True)
    for _ in cases(options):
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as data:
            subprocess.run(bench_command(options) + ["--dump"], check=True, stdout=data)
            options.data = data.name
            if options.search:
                search(options)
                continue
            try:
                print(compare(options), flush=True)
            except RuntimeError as problem:
                print(f"| {head_of(options)} | gave up |", flush=True)
                print(f"hf_trainer.py: {problem}", file=sys.stderr)
                fine = False
    return fine


def no_device(options):
    """What is missing; None: nothing."""
    if options.device == "cpu":
        return None
    try:
        import torch
    except ImportError:
        return "there is no PyTorch"
    return None if torch.cuda.is_available() else f"PyTorch {torch.__version__} finds no CUDA GPU"


def variant(text):
    words = text.split("+")
    known = set().union(*WORDS.values())
    if len(set(words)) != len(words) or len(PRECISIONS & set(words)) != 1 or not set(words) <= known:
        raise argparse.ArgumentTypeError(f"not a variant: {text}")
    return text


def parse():
    parser = argparse.ArgumentParser(description="t5bench next to Transformers; see the top of this file.")
    parser.add_argument("--t5bench", default="build/t5bench", help="how it is started, also with arguments")
    parser.add_argument("--device", choices=DEFAULTS, default="cpu")
    parser.add_argument("--size", dest="sizes", nargs="+", choices=SIZES)
    parser.add_argument("--task", dest="tasks", nargs="+", choices=WORDS, default=list(WORDS))
    parser.add_argument("--rows", dest="all_rows", type=int, nargs="+", help="a training batch")
    parser.add_argument("--join", dest="joins", type=int, nargs="+", default=[1], help="of the data set in a row")
    parser.add_argument("--vocab", type=int)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24, help="of training a round")
    parser.add_argument("--steps-a", type=int, help="of (a)'s training a round")
    parser.add_argument("--tokens", type=int, default=MAX_TARGET, help="put out a row")
    parser.add_argument("--batch", type=int, help="rows a batch of generation")
    parser.add_argument("--batches", type=int, default=4, help="batches of generation a round")
    parser.add_argument("--single", type=int, help="rows of (a)'s generation a round")
    parser.add_argument("--variant-train", type=variant, default="autocast+sdpa", help="(b) in training")
    parser.add_argument("--variant-evaluate", type=variant, default="bf16+sdpa", help="(b) in evaluation")
    parser.add_argument("--search", action="store_true", help="time variants of (b), nothing else")
    parser.add_argument("--variants", nargs="+", type=variant, help="which, with --search")
    parser.add_argument("--worker", choices=["a", "b"], help=argparse.SUPPRESS)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    options = parser.parse_args()
    default = DEFAULTS[options.device]
    options.sizes = options.sizes or (["base"] if options.device == "cuda" else list(SIZES))
    options.all_rows = options.all_rows or default["rows"]
    for key in ("vocab", "steps_a", "batch", "single"):
        setattr(options, key, getattr(options, key) or default[key])
    options.size, options.task, options.rows, options.join = (options.sizes[0], options.tasks[0], options.all_rows[0],
                                                              options.joins[0])
    for task in options.tasks if not options.worker else []:
        chosen = options.variants or [] if options.search else [getattr(options, "variant_" + task)]
        allowed = WORDS[task] - (set() if options.device == "cuda" else GPU_WORDS)
        for text in chosen:
            if not set(text.split("+")) <= allowed:
                parser.error(f"{text} is nothing for {task} on {options.device}")
    return options


def main():
    options = parse()
    if options.worker:
        work(options)
        return 0
    missing = no_device(options)
    if missing:
        print(f"hf_trainer.py: --device {options.device}: {missing}", file=sys.stderr)
        return 2
    try:
        return 0 if drive(options) else 1
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"hf_trainer.py: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
