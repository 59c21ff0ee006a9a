#!/usr/bin/env python3
"""Makes tests/setup/fixtures: tiny Hugging Face directories and the logits that Transformers gets from them.

    python3 tests/setup/make_pretrained.py            (writes tests/setup/fixtures/)

Made with torch 2.15.0, transformers 5.23.0 and sentencepiece 0.2.3. Needed only to make the files anew: the
tests read the committed ones. Of each kind of model one, each stored in another way:

    v1_0   T5 v1.0, tied and scaled; one float32 model.safetensors; with a tokeniser, to be trained
    v1_1   T5 v1.1, gated, two matrices; float32 shards
    mt5    mT5, tied and not scaled; pytorch_model.bin with all four names of the shared matrix
    umt5   umT5, relative biases in every layer; one bfloat16 model.safetensors

DIR/expected/model.safetensors has enc_ids (rows, length), dec_ids (rows, length), both as float32, and logits
(rows * length, vocabulary), computed in double precision from the files as they are.
"""

import collections
import json
import os
import shutil

import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import (MT5Config, MT5ForConditionalGeneration, T5Config, T5ForConditionalGeneration,
                          UMT5Config, UMT5ForConditionalGeneration)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PIECES, SENTINELS, UNUSED = 300, 4, 16

SHAPE = dict(d_model=16, d_kv=6, num_heads=2, d_ff=20, num_layers=1, num_decoder_layers=2,
             relative_attention_num_buckets=8, relative_attention_max_distance=12, dropout_rate=0.1,
             pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)

KINDS = {
    "v1_0": (T5ForConditionalGeneration, T5Config(vocab_size=PIECES + SENTINELS + UNUSED, **SHAPE)),
    "v1_1": (T5ForConditionalGeneration, T5Config(vocab_size=48, feed_forward_proj="gated-gelu",
                                                  tie_word_embeddings=False, **SHAPE)),
    "mt5": (MT5ForConditionalGeneration, MT5Config(vocab_size=48, feed_forward_proj="gated-gelu", **SHAPE)),
    "umt5": (UMT5ForConditionalGeneration, UMT5Config(vocab_size=48, feed_forward_proj="gated-gelu", **SHAPE)),
}


@torch.no_grad()
def random_model(kind):
    cls, config = KINDS[kind]
    torch.manual_seed(sum(map(ord, kind)))
    model = cls(config).eval()
    if kind == "v1_1":  # Transformers 5 ties every new model; a checkpoint's lm_head is its own
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    for name, p in model.named_parameters():  # so that nothing is left out without being noticed
        if "layer_norm" in name:
            p.copy_(1.0 + 0.2 * torch.randn_like(p))
        if "relative_attention_bias" in name:
            p.mul_(4.0)
    return model


def save(kind, model, directory):
    if kind == "mt5":
        model.config.save_pretrained(directory)
        state = model.state_dict()
        assert all(n in state for n in ("shared.weight", "encoder.embed_tokens.weight",
                                        "decoder.embed_tokens.weight", "lm_head.weight"))
        torch.save(state, os.path.join(directory, "pytorch_model.bin"))
    elif kind == "umt5":
        model.bfloat16().save_pretrained(directory)
    else:
        model.save_pretrained(directory, max_shard_size="12KB" if kind == "v1_1" else "5GB")
    if kind == "v1_1":  # as the checkpoints of Transformers 4 have it
        path = os.path.join(directory, "config.json")
        config = json.load(open(path))
        config.pop("scale_decoder_outputs")
        config["tie_word_embeddings"] = False
        json.dump(config, open(path, "w"), indent=2, sort_keys=True)


def tokenizer(directory):
    rows = os.path.join(ROOT, "configs/demo/v3like.jsonl")
    texts = [json.loads(line)["sns_text"] for line, _ in zip(open(rows), range(400))]
    counts = collections.Counter("".join(texts))
    common = {c for c, _ in counts.most_common(200)}  # the trainer insists on covering what it is given
    texts = ["".join(c for c in text if c in common) for text in texts]
    here = os.getcwd()
    os.chdir(directory)  # the model keeps the prefix that it was trained with
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix="spiece", vocab_size=PIECES, model_type="unigram",
        character_coverage=1.0, normalization_rule_name="identity", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        num_threads=1)
    os.chdir(here)
    os.remove(os.path.join(directory, "spiece.vocab"))
    sentinels = [f"<extra_id_{i}>" for i in range(SENTINELS)]
    config = dict(tokenizer_class="T5Tokenizer", extra_ids=SENTINELS, eos_token="</s>", unk_token="<unk>",
                  pad_token="<pad>", additional_special_tokens=sentinels, legacy=False)
    json.dump(config, open(os.path.join(directory, "tokenizer_config.json"), "w"), indent=2)


@torch.no_grad()
def expect(cls, directory):
    model = cls.from_pretrained(directory, dtype=torch.float64).eval()
    generator = torch.Generator().manual_seed(1)
    vocab = model.config.vocab_size
    enc = torch.randint(2, vocab, (2, 20), generator=generator)
    dec = torch.randint(2, vocab, (2, 9), generator=generator)
    dec[:, 0] = model.config.decoder_start_token_id
    logits = model(input_ids=enc, decoder_input_ids=dec).logits
    os.makedirs(os.path.join(directory, "expected"))
    save_file({"enc_ids": enc.float(), "dec_ids": dec.float(),
               "logits": logits.float().reshape(-1, vocab).contiguous()},
              os.path.join(directory, "expected", "model.safetensors"))
    print(f"{os.path.basename(directory)}: logits up to {logits.abs().max():.2f}")


def main():
    for kind, (cls, _) in KINDS.items():
        directory = os.path.join(HERE, "fixtures", kind)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        save(kind, random_model(kind), directory)
        generation = os.path.join(directory, "generation_config.json")
        if os.path.exists(generation):
            os.remove(generation)
        if kind == "v1_0":
            tokenizer(directory)
        expect(cls, directory)


if __name__ == "__main__":
    main()
