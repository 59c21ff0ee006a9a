/* The table of keys: the one place that says what a configuration may contain. Parsing, checking,
 * defaults, suggestions and docs/config.md (held against it by a test) all follow it. */
#include "base/config_reader.h"
#include <string.h>

#define AT(member) offsetof(t5_config, member), 0
#define LIST(member) offsetof(t5_config, member), offsetof(t5_config, n_##member)
#define IN_LOSS(member) offsetof(t5_loss_spec, member), 0
#define IN_NODE(member) offsetof(t5_plan_node, member), 0
#define NOWHERE 0, 0

#define INTEGER "integer"
#define NUMBER "number"
#define STRING "string"
#define BOOLEAN "boolean"

#define FIGURES                                                                                   \
    "\"avg_jaccard\" | \"exact_match_rate\" | \"micro_f1\" | \"avg_precision\" | \"avg_recall\" " \
    "| \"avg_f1\" | \"diversity_non_top5_ratio\""

#define SEED "[0, inf)"

#define FIGURE(group, name, i, meaning) \
    { #group "." name, NUMBER, "(none)", "[0, 1]", meaning, T5_KEY_NUMBER, AT(group[i]) }

const char *const t5_figure_names[T5_N_FIGURES] = {
    "avg_jaccard", "exact_match_rate",        "micro_f1", "avg_precision", "avg_recall",
    "avg_f1",      "diversity_non_top5_ratio"};

/* a row is a key */
/* clang-format off */
static const t5_config_key keys[] = {
    {"model.path", "path", "(none)", "a Hugging Face directory",
     "a pre-trained model and its tokeniser; instead of all other keys of the group but label_init",
     T5_KEY_PATH, AT(model.path)},
    {"model.label_init", STRING, "\"describe\"", "\"random\" | \"mean\" | \"describe\"",
     "with model.path: initial rows of labels that the model does not know",
     T5_KEY_CHOICE, AT(model.label_init)},
    {"model.preset", STRING, "(required without model.path)", "\"tiny\" | \"mini\" | \"small\" | \"base\"",
     "shape of the model, randomly initialised", T5_KEY_STRING, AT(model.preset)},
    {"model.tokenizer", "path", "(required without model.path)", "a SentencePiece model file",
     "tokeniser of the inputs; the data's labels are added to it", T5_KEY_PATH, AT(model.tokenizer)},
    {"model.feed_forward_proj", STRING, "\"relu\"", "\"relu\" | \"gated-gelu\"",
     "feed-forward block: of T5 v1.0 or v1.1", T5_KEY_CHOICE, AT(model.act)},
    {"model.tie_word_embeddings", BOOLEAN, "true", "true | false",
     "one matrix for embedding and output (v1.0), or two (v1.1)", T5_KEY_BOOLEAN, AT(model.tied)},
    {"model.d_model", INTEGER, "(preset)", "[1, 65536]",
     "width of the hidden states", T5_KEY_INTEGER, AT(model.d_model)},
    {"model.d_kv", INTEGER, "(preset)", "[1, 4096]",
     "width of an attention head", T5_KEY_INTEGER, AT(model.d_kv)},
    {"model.d_ff", INTEGER, "(preset)", "[1, 262144]",
     "width inside the feed-forward block", T5_KEY_INTEGER, AT(model.d_ff)},
    {"model.num_heads", INTEGER, "(preset)", "[1, 1024]",
     "attention heads", T5_KEY_INTEGER, AT(model.num_heads)},
    {"model.num_layers", INTEGER, "(preset)", "[1, 1024]",
     "encoder layers", T5_KEY_INTEGER, AT(model.num_layers)},
    {"model.num_decoder_layers", INTEGER, "(as model.num_layers)", "[1, 1024]",
     "decoder layers", T5_KEY_INTEGER, AT(model.num_decoder_layers)},
    {"model.relative_attention_num_buckets", INTEGER, "32", "[4, 4096]",
     "buckets of the relative position bias; even", T5_KEY_INTEGER, AT(model.relative_buckets)},
    {"model.relative_attention_max_distance", INTEGER, "128", "[3, 1000000]",
     "distance in tokens from which on there is one bucket; more than half the buckets", T5_KEY_INTEGER,
     AT(model.relative_max_distance)},

    {"data.path", "path", "(required)", "a JSON Lines file",
     "the data set, one object a line", T5_KEY_PATH, AT(data.path)},
    {"data.input", STRING, "(required)", "not empty",
     "key of the input text in a line's object", T5_KEY_STRING, AT(data.input)},
    {"data.target", STRING, "(required)", "not empty",
     "key of the target: labels with white space between them", T5_KEY_STRING, AT(data.target)},
    {"data.split", "list of numbers", "[0.8, 0.1, 0.1]", "three numbers above 0 with the sum 1",
     "shares of training, validation and test", T5_KEY_SPLIT, AT(data.split)},
    {"data.seed", INTEGER, "42", "of 64 bits",
     "seed of the shuffle before the split, as Python's random.seed takes it", T5_KEY_INTEGER64,
     AT(data.seed)},
    {"data.max_input", INTEGER, "128", "[2, 65536]",
     "tokens, the end token included; longer inputs are cut", T5_KEY_INTEGER, AT(data.max_input)},
    {"data.max_target", INTEGER, "32", "[2, 65536]",
     "tokens, the end token included; longer targets are cut", T5_KEY_INTEGER, AT(data.max_target)},
    {"data.skip_bad_rows", BOOLEAN, "false", "true | false",
     "count and report unusable lines instead of stopping at the first", T5_KEY_BOOLEAN,
     AT(data.skip_bad_rows)},

    {"train.epochs", INTEGER, "50", "[1, 1000000]",
     "epochs at most", T5_KEY_INTEGER, AT(train.epochs)},
    {"train.batch_size", INTEGER, "16", "[1, 1000000]",
     "rows of a step, over all ranks of a trial", T5_KEY_INTEGER, AT(train.batch_size)},
    {"train.learning_rate", NUMBER, "3e-4", "(0, inf)",
     "peak of the schedule, where the sweep or plan does not vary it", T5_KEY_NUMBER,
     AT(train.learning_rate)},
    {"train.weight_decay", NUMBER, "0.01", "[0, inf)",
     "AdamW's decay; norm weights have none", T5_KEY_NUMBER, AT(train.weight_decay)},
    {"train.beta1", NUMBER, "0.9", "[0, 1)",
     "AdamW's memory of the gradient", T5_KEY_NUMBER, AT(train.beta1)},
    {"train.beta2", NUMBER, "0.999", "[0, 1)",
     "AdamW's memory of its square", T5_KEY_NUMBER, AT(train.beta2)},
    {"train.epsilon", NUMBER, "1e-8", "(0, inf)",
     "AdamW's guard against division by zero", T5_KEY_NUMBER, AT(train.epsilon)},
    {"train.warmup_steps", INTEGER, "150", "[0, 1000000000]",
     "steps of linear warm-up, then linear decay to 0", T5_KEY_INTEGER, AT(train.warmup_steps)},
    {"train.clip_norm", NUMBER, "1.0", "[0, inf)",
     "largest norm of the gradient; 0: no clipping", T5_KEY_NUMBER, AT(train.clip_norm)},
    {"train.dropout", NUMBER, "0.1", "[0, 1)",
     "probability of a zero, at the places where T5 has dropout", T5_KEY_NUMBER, AT(train.dropout)},
    {"train.early_stopping_patience", INTEGER, "5", "[0, 1000000]",
     "epochs without a better validation loss before a trial stops; 0: never", T5_KEY_INTEGER,
     AT(train.early_stopping_patience)},
    {"train.precision", STRING, "\"auto\"", "\"auto\" | \"fp32\" | \"tf32\" | \"bf16\"",
     "of the matrix products; the weights stay in fp32", T5_KEY_CHOICE, AT(train.precision)},
    {"train.micro_batch_tokens", INTEGER, "0", "[0, 1000000000]",
     "input and target tokens of one pass at most; larger batches are accumulated; 0: no limit",
     T5_KEY_INTEGER, AT(train.micro_batch_tokens)},
    {"train.seed", INTEGER, "42", SEED,
     "initial weights, order of rows, dropout; where the sweep or plan does not vary it",
     T5_KEY_INTEGER64, AT(train.seed)},
    {"train.top_n", INTEGER, "0", "[0, 1000000000]",
     "keep only rows whose labels are all among the N most frequent; 0: all rows; where the sweep "
     "or plan does not vary it", T5_KEY_INTEGER, AT(train.top_n)},
    {"train.checkpoint_every", STRING, "\"1 epoch\"",
     "\"N epochs\" | \"N steps\" | \"N minutes\" | \"never\"",
     "how often a trial in training is written to the disk", T5_KEY_EVERY, AT(train.checkpoint_every)},
    {"train.keep_checkpoints", INTEGER, "2", "[1, 100]",
     "the last ones of a trial in training that are kept", T5_KEY_INTEGER, AT(train.keep_checkpoints)},
    {"train.nan_retries", INTEGER, "0", "[0, 10]",
     "how often a trial whose loss or gradient is not finite goes on from its last checkpoint with "
     "another order of the rows before it fails", T5_KEY_INTEGER, AT(train.nan_retries)},
    {"train.loss", "group", "{ type = \"cross_entropy\"; }", "a group { type = ...; }",
     "the loss, where the sweep or plan does not vary it", T5_KEY_LOSS, AT(train.loss)},
    {"train.loss.type", STRING, "\"cross_entropy\"", "\"cross_entropy\" | \"focal\"",
     "kind of loss", T5_KEY_CHOICE, IN_LOSS(kind)},
    {"train.loss.label_smoothing", NUMBER, "0.1", "[0, 1)",
     "cross entropy only: share spread evenly over the vocabulary", T5_KEY_NUMBER,
     IN_LOSS(label_smoothing)},
    {"train.loss.gamma", NUMBER, "2.0", "[0, inf)",
     "focal loss only: exponent of (1 - p)", T5_KEY_NUMBER, IN_LOSS(gamma)},
    {"train.loss.alpha", NUMBER, "1.0", "(0, inf)",
     "focal loss only: factor", T5_KEY_NUMBER, IN_LOSS(alpha)},

    {"eval.decode", STRING, "\"greedy\"", "\"greedy\" | \"beam\" | \"sample\"",
     "how answers to the test rows are generated", T5_KEY_CHOICE, AT(eval.kind)},
    {"eval.beams", INTEGER, "4", "[1, 256]",
     "beams; at least 2 with decode = \"beam\"", T5_KEY_INTEGER, AT(eval.beams)},
    {"eval.temperature", NUMBER, "1.0", "(0, inf)",
     "sampling: divides the logits", T5_KEY_NUMBER, AT(eval.temperature)},
    {"eval.top_k", INTEGER, "50", "[0, 1000000000]",
     "sampling: only the k likeliest tokens; 0: all", T5_KEY_INTEGER, AT(eval.top_k)},
    {"eval.top_p", NUMBER, "0.95", "(0, 1]",
     "sampling: only the likeliest tokens that together have this probability; 1: all",
     T5_KEY_NUMBER, AT(eval.top_p)},
    {"eval.repetition_penalty", NUMBER, "1.0", "(0, inf)",
     "above 1: tokens that were put out before become less likely; 1: off", T5_KEY_NUMBER,
     AT(eval.repetition_penalty)},
    {"eval.restrict_to_labels", BOOLEAN, "true", "true | false",
     "only labels and the end token may be put out", T5_KEY_BOOLEAN, AT(eval.restrict_to_labels)},
    {"eval.max_length", INTEGER, "0", "[0, 65536]",
     "tokens put out, the end token included; 0: as data.max_target", T5_KEY_INTEGER,
     AT(eval.max_length)},
    {"eval.seed", INTEGER, "42", SEED, "seed of sampling", T5_KEY_INTEGER64, AT(eval.seed)},
    {"eval.batch_size", INTEGER, "32", "[1, 1000000]",
     "rows decoded together", T5_KEY_INTEGER, AT(eval_batch_size)},

    {"sweep.learning_rate", "list of numbers", "(train.learning_rate)", "(0, inf)",
     "learning rates to try", T5_KEY_NUMBERS, LIST(learning_rate)},
    {"sweep.top_n", "list of integers", "(train.top_n)", "[0, 1000000000]",
     "filters to try", T5_KEY_INTEGERS, LIST(top_n)},
    {"sweep.loss", "list of groups", "(train.loss)", "groups { type = ...; }",
     "losses to try; keys as in train.loss", T5_KEY_LOSSES, LIST(loss)},
    {"sweep.seed", "list of integers", "(train.seed)", SEED,
     "seeds to try", T5_KEY_INTEGERS64, LIST(seed)},

    {"plan", "list of groups", "(none)", "a list ( { name = ...; }, ... )",
     "the experiment tree, instead of sweep", T5_KEY_PLAN, NOWHERE},
    {"plan[].name", STRING, "(required)",
     "1 to 100 bytes of UTF-8 without / and control characters, not . or ..",
     "name of the trial, unique", T5_KEY_STRING, IN_NODE(name)},
    {"plan[].set.learning_rate", NUMBER, "(train.learning_rate)", "(0, inf)",
     "learning rate of this trial", T5_KEY_NUMBER, IN_NODE(spec.learning_rate)},
    {"plan[].set.top_n", INTEGER, "(train.top_n)", "[0, 1000000000]",
     "filter of this trial", T5_KEY_INTEGER, IN_NODE(spec.top_n)},
    {"plan[].set.loss", "group", "(train.loss)", "a group { type = ...; }",
     "loss of this trial; keys as in train.loss", T5_KEY_LOSS, IN_NODE(spec.loss)},
    {"plan[].set.seed", INTEGER, "(train.seed)", SEED,
     "seed of this trial", T5_KEY_INTEGER64, IN_NODE(spec.seed)},
    {"plan[].improved", STRING, "(none)", "the name of a trial of the plan",
     "the trial that follows if this one is better than the baseline", T5_KEY_NODE, NOWHERE},
    {"plan[].otherwise", STRING, "(none)", "the name of a trial of the plan",
     "the trial that follows if it is not", T5_KEY_NODE, NOWHERE},

    {"parallel.ranks_per_trial", INTEGER, "1", "[1, 65536]",
     "ranks that train one trial together; must divide the number of ranks", T5_KEY_INTEGER,
     AT(ranks_per_trial)},
    {"parallel.threads", INTEGER, "0", "[0, 4096]",
     "threads of a rank; 0: the node's cores over its ranks", T5_KEY_INTEGER, AT(threads)},
    {"parallel.speculative", STRING, "\"idle\"", "\"none\" | \"idle\" | \"all\"",
     "trials of a plan that run before it is known whether they are reached: none; by idle ranks; all, even those never reached",
     T5_KEY_CHOICE, AT(speculative)},
    {"parallel.share_gpu", BOOLEAN, "false", "true | false",
     "several ranks of a host may use the same GPU", T5_KEY_BOOLEAN, AT(share_gpu)},
    {"parallel.reduce", STRING, "\"fp32\"", "\"fp32\" | \"bf16\"",
     "how the gradients of a group's GPUs travel to each other; bf16: half the bytes, summed in bfloat16",
     T5_KEY_CHOICE, AT(reduce)},
    {"parallel.timeout_s", NUMBER, "600", "[0, inf)",
     "seconds after which a rank that does not come, or shows no sign of life, is named and the job ends with status 1; 0: never",
     T5_KEY_NUMBER, AT(timeout_s)},

    {"baseline.trial", STRING, "(none)", "the name of a trial",
     "the trial that the others are compared with", T5_KEY_STRING, AT(baseline_trial)},
    {"baseline.metric", STRING, "\"avg_jaccard\"", FIGURES,
     "the figure that decides whether a trial improved on the baseline", T5_KEY_STRING,
     AT(decide_by)},
    FIGURE(baseline, "avg_jaccard", 0, "published mean Jaccard index"),
    FIGURE(baseline, "exact_match_rate", 1, "published share of exact matches"),
    FIGURE(baseline, "micro_f1", 2, "published F1 of the summed counts"),
    FIGURE(baseline, "avg_precision", 3, "published mean precision"),
    FIGURE(baseline, "avg_recall", 4, "published mean recall"),
    FIGURE(baseline, "avg_f1", 5, "published mean F1"),
    FIGURE(baseline, "diversity_non_top5_ratio", 6, "published share of put-out labels outside the Top-5"),

    {"output.dir", "path", "(runs/ and the configuration's name)", "a directory, made if missing",
     "where results go; --output overrides it", T5_KEY_PATH, AT(output_dir)},
    {"output.save_weights", BOOLEAN, "true", "true | false",
     "every trial's best weights are kept, for predict and export", T5_KEY_BOOLEAN, AT(save_weights)},

    FIGURE(goals, "avg_jaccard", 0, "goal: mean Jaccard index above this"),
    FIGURE(goals, "exact_match_rate", 1, "goal: share of exact matches above this"),
    FIGURE(goals, "micro_f1", 2, "goal: F1 of the summed counts above this"),
    FIGURE(goals, "avg_precision", 3, "goal: mean precision above this"),
    FIGURE(goals, "avg_recall", 4, "goal: mean recall above this"),
    FIGURE(goals, "avg_f1", 5, "goal: mean F1 above this"),
    FIGURE(goals, "diversity_non_top5_ratio", 6, "goal: share of put-out labels outside the Top-5 above this"),
};
/* clang-format on */

enum { N_KEYS = sizeof keys / sizeof *keys };

int t5_config_keys(const t5_config_key **table) {
    *table = keys;
    return N_KEYS;
}

const t5_config_key *t5_config_find_key(const char *path) {
    for (int i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

bool t5_config_is_group(const char *path) {
    size_t n = strlen(path);
    for (int i = 0; i < N_KEYS; i++)
        if (strncmp(keys[i].path, path, n) == 0 && keys[i].path[n] == '.')
            return true;
    return false;
}

bool t5_config_is_nested(const t5_config_key *key) {
    return strncmp(key->path, "plan[]", 6) == 0 || strncmp(key->path, "train.loss.", 11) == 0;
}
