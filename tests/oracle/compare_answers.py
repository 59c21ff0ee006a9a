#!/usr/bin/env python3
"""A trial of a run, exported, in Transformers and in t5mpi: the same logits and the same answers?

    t5mpi export RUN:TRIAL DIR
    python tests/oracle/compare_answers.py BUILD RUN:TRIAL DIR

BUILD holds t5mpi and tests/oracle_logits. Compares, for the texts of the trial's test split:
- the ids that the tokenisers make of them;
- the logits with the gold answers as the decoder's input: largest relative error (norm of the difference over
  norm) of a text, at most 1e-5;
- greedy answers and those of 4 beams: Transformers with DIR, `t5mpi predict` with RUN:TRIAL and with DIR.
Exit status 1 if anything differs. Needs Transformers 4 (its T5Tokenizer is the SentencePiece-based one), PyTorch,
h5py and NumPy.
"""
import os
import subprocess
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import h5py
import numpy as np
import torch
import transformers
from transformers import T5ForConditionalGeneration, T5Tokenizer

BATCH = 16


def test_split(run, trial):
    with h5py.File(f"{run}/results.h5") as f:
        rows = f[f"trials/{trial}/predictions"][:]
    return [t.decode() for t in rows["text"]], [g.decode() for g in rows["gold"]]


def logits_of(build, model, pairs, vocab):
    lines = "".join(f"{' '.join(map(str, enc))} | {' '.join(map(str, dec))}\n" for enc, dec in pairs)
    out = subprocess.run([f"{build}/tests/oracle_logits", model], input=lines.encode(), stdout=subprocess.PIPE,
                         check=True).stdout
    values, at = np.frombuffer(out, np.float32), 0
    for _, dec in pairs:
        n = len(dec) * vocab
        yield values[at:at + n].reshape(len(dec), vocab)
        at += n
    assert at == len(values)


@torch.no_grad()
def compare_logits(build, names, model, tokenizer, texts, gold):
    limit = tokenizer.model_max_length
    pairs = [(tokenizer(t, truncation=True, max_length=limit).input_ids,
              [model.config.decoder_start_token_id] + tokenizer(g).input_ids[:-1]) for t, g in zip(texts, gold)]
    worst = 0.0
    for name in names:
        for (enc, dec), ours in zip(pairs, logits_of(build, name, pairs, model.config.vocab_size)):
            theirs = model(input_ids=torch.tensor([enc]), decoder_input_ids=torch.tensor([dec])).logits[0].numpy()
            worst = max(worst, float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)))
    print(f"logits: {len(pairs)} texts, largest relative error {worst:.1e}")
    return worst <= 1e-5


def predict(build, model, texts, options):
    command = [f"{build}/t5mpi", "predict", "--model", model, "--threads", "1", *options]
    out = subprocess.run(command, input="".join(t + "\n" for t in texts).encode(), stdout=subprocess.PIPE, check=True)
    return out.stdout.decode().splitlines()


@torch.no_grad()
def generate(model, tokenizer, texts, **how):
    answers = []
    for i in range(0, len(texts), BATCH):
        inputs = tokenizer(texts[i:i + BATCH], return_tensors="pt", padding=True, truncation=True)
        answers += tokenizer.batch_decode(model.generate(**inputs, **how), skip_special_tokens=True)
    return answers


def compare_answers(build, names, model, tokenizer, texts, title, how, options):
    theirs, fine = generate(model, tokenizer, texts, **how), True
    for name in names:
        ours = predict(build, name, texts, options)
        wrong = [i for i in range(len(texts)) if ours[i] != theirs[i]]
        print(f"{title}, {name}: {len(texts) - len(wrong)} of {len(texts)} answers the same, "
              f"{len(set(theirs))} different ones")
        for i in wrong[:5]:
            print(f"  {texts[i][:50]!r}: {ours[i]!r}, Transformers {theirs[i]!r}")
        fine = fine and not wrong and len(ours) == len(texts)
    return fine


def main(build, saved, directory):
    run, _, trial = saved.rpartition(":")
    texts, gold = test_split(run, trial)
    print(f"Transformers {transformers.__version__}, PyTorch {torch.__version__}")
    tokenizer = T5Tokenizer.from_pretrained(directory)
    model = T5ForConditionalGeneration.from_pretrained(directory).eval()
    names = [saved, directory]
    fine = compare_logits(build, names, model, tokenizer, texts, gold)
    fine &= compare_answers(build, names, model, tokenizer, texts, "greedy", dict(num_beams=1, do_sample=False),
                            ["--beams", "1"])
    fine &= compare_answers(build, names, model, tokenizer, texts, "4 beams",
                            dict(num_beams=4, early_stopping=True, do_sample=False), ["--beams", "4"])
    return 0 if fine else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(*sys.argv[1:]))
