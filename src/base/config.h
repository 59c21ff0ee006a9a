/* The configuration: one validated struct, read from a libconfig file plus --set overrides.
 * docs/config.md lists every key; tests/base/test_config_keys.c holds that page against the table
 * in config_keys.c. Errors (T5_ERR_INPUT) name file, line, key, what was found and what is allowed.
 */
#ifndef T5_BASE_CONFIG_H
#define T5_BASE_CONFIG_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { T5_LOSS_CROSS_ENTROPY, T5_LOSS_FOCAL } t5_loss_kind;
typedef enum {
    T5_PRECISION_AUTO,
    T5_PRECISION_FP32,
    T5_PRECISION_TF32,
    T5_PRECISION_BF16
} t5_precision;
typedef enum { T5_DECODE_GREEDY, T5_DECODE_BEAM, T5_DECODE_SAMPLE } t5_decode_kind;
typedef enum { T5_ACT_RELU, T5_ACT_GATED_GELU } t5_act_kind;
typedef enum { T5_LABEL_INIT_RANDOM, T5_LABEL_INIT_MEAN, T5_LABEL_INIT_DESCRIBE } t5_label_init;
typedef enum { T5_EVERY_NEVER, T5_EVERY_EPOCHS, T5_EVERY_STEPS, T5_EVERY_MINUTES } t5_every_kind;
typedef enum { T5_REDUCE_FP32, T5_REDUCE_BF16 } t5_reduce;
typedef enum { T5_SPECULATE_NONE, T5_SPECULATE_IDLE, T5_SPECULATE_ALL } t5_speculate;

/* What makes the loss of a trial. label_smoothing belongs to cross entropy, gamma and alpha to
 * focal loss; the other kind's are 0, 0 and 1. */
typedef struct t5_loss_spec {
    t5_loss_kind kind;
    double label_smoothing; /* e in (1-e)*nll + e*mean over the vocabulary of -log p; [0, 1) */
    double gamma, alpha;    /* -alpha (1-p)^gamma log p */
} t5_loss_spec;

/* What may vary between trials. */
typedef struct t5_trial_spec {
    double learning_rate;
    int top_n; /* 0: no filter */
    t5_loss_spec loss;
    uint64_t seed;
} t5_trial_spec;

/* Either a Hugging Face directory (path; the rest but label_init is 0 or a default and means
 * nothing) or a shape to be initialised randomly (preset, tokenizer and what follows). Paths are
 * resolved against the configuration's directory. */
typedef struct t5_config_model {
    char *path;               /* Hugging Face directory, or NULL */
    t5_label_init label_init; /* rows of labels that the directory's model does not know */
    char *preset;             /* "tiny" | "mini" | "small" | "base" */
    char *tokenizer;          /* SentencePiece model file */
    t5_act_kind act;
    bool tied; /* tied embeddings and scaled output (T5 v1.0); false: v1.1 */
    int d_model, d_kv, d_ff, num_heads, num_layers, num_decoder_layers; /* after the preset */
    int relative_buckets, relative_max_distance;
} t5_config_model;

typedef struct t5_config_data {
    char *path; /* JSON Lines, resolved */
    char *input, *target;
    double split[3]; /* train, validation, test; sum 1 */
    int64_t seed;
    int max_input, max_target; /* tokens, the end token included */
    bool skip_bad_rows;
} t5_config_data;

/* Once in `count` epochs, steps or minutes; count is 0 with T5_EVERY_NEVER. */
typedef struct t5_every {
    t5_every_kind kind;
    int count;
} t5_every;

typedef struct t5_config_train {
    int epochs, batch_size;
    double learning_rate; /* default of every trial when the sweep or plan does not vary it */
    double weight_decay, beta1, beta2, epsilon;
    int warmup_steps;
    double clip_norm; /* 0: no clipping */
    double dropout;
    int early_stopping_patience; /* epochs without a better validation loss; 0: never stop early */
    t5_precision precision;
    int micro_batch_tokens; /* largest number of input + target tokens of one pass; 0: no limit */
    uint64_t seed;
    int top_n;         /* default of every trial */
    t5_loss_spec loss; /* default of every trial */
    t5_every checkpoint_every;
    int keep_checkpoints; /* of a trial in training */
    int nan_retries;      /* goes on from the last checkpoint after a loss that is not finite */
} t5_config_train;

/* How answers are generated. The validation split is always decoded greedily with the same
 * restrict_to_labels and max_length; the test split with all of this. */
typedef struct t5_decode_spec {
    t5_decode_kind kind;
    int beams;
    double temperature;
    int top_k;    /* 0: off */
    double top_p; /* 1: off */
    double repetition_penalty;
    bool restrict_to_labels; /* only label tokens and the end token may come out */
    int max_length;          /* tokens put out, the end token included; 0: data.max_target */
    uint64_t seed;
} t5_decode_spec;

/* One node of the experiment tree. */
typedef struct t5_plan_node {
    char *name;
    t5_trial_spec spec;
    int improved, otherwise; /* indices of the next nodes, -1: none */
} t5_plan_node;

/* Published figures a trial can be compared with: NaN where not given. Order: t5_figure_names. */
enum { T5_N_FIGURES = 7 };
extern const char *const t5_figure_names[T5_N_FIGURES]; /* avg_jaccard, exact_match_rate, micro_f1,
    avg_precision, avg_recall, avg_f1, diversity_non_top5_ratio */

typedef struct t5_config {
    char *file; /* as given on the command line */
    char *text; /* the file's text, --set overrides appended as comment lines: goes to results.h5 */
    t5_config_model model;
    t5_config_data data;
    t5_config_train train;
    t5_decode_spec eval;
    int eval_batch_size; /* rows decoded together */
    bool is_plan;        /* a tree (nodes) rather than a grid (lists) */
    /* the grid: every list has at least one element */
    int n_learning_rate, n_top_n, n_loss, n_seed;
    double *learning_rate;
    int *top_n;
    t5_loss_spec *loss;
    uint64_t *seed;
    int n_nodes;
    t5_plan_node *nodes;
    int ranks_per_trial, threads; /* threads 0: the node's cores over its ranks */
    t5_speculate speculative;
    bool share_gpu;       /* several ranks may use one GPU */
    t5_reduce reduce;     /* how gradients travel between GPUs */
    double timeout_s;     /* that ranks wait for one another; 0: for ever */
    char *baseline_trial; /* NULL: figures or none */
    double baseline[T5_N_FIGURES];
    char *decide_by; /* baseline.metric: the figure that decides "improved" */
    double goals[T5_N_FIGURES];
    bool save_weights; /* the best epoch's of every trial, for export and predict */
    char *output_dir;  /* resolved against the configuration's directory; --output: the cwd */
} t5_config;

/* Reads and validates. `sets` holds n_sets strings "PATH=VALUE" (VALUE in libconfig syntax, bare
 * words are taken as strings), applied over the file. The result is freed by t5_config_destroy. */
t5_status t5_config_read(const char *file, const char *const *sets, int n_sets, const char *output,
                         t5_config **config, t5_error *err);
void t5_config_destroy(t5_config *config);

/* The settings that every trial's result depends on, a line each, "train.batch_size = 16": all of
 * model, data, train and eval but files' places, what a trial has of its own (t5_trial_spec), and
 * sizes that change nothing but speed. *text is malloc'd. T5_ERR_MEMORY. */
t5_status t5_config_settings(const t5_config *config, char **text, t5_error *err);

/* For documentation and tests: the table of keys. Returns the number of keys. Paths inside a list
 * are written with "[]": plan[].name. `fallback` is the default in libconfig syntax, or a remark in
 * parentheses: (required), (none), (preset), ... `allowed` is an interval "[0, 1)", alternatives
 * "\"a\" | \"b\"" or a remark. The first five are for people; the last three are the reader's. */
typedef struct t5_config_key {
    const char *path, *type, *fallback, *allowed, *meaning;
    int kind;
    size_t offset, count_offset; /* of the value, and of a list's length */
} t5_config_key;
int t5_config_keys(const t5_config_key **keys);

#endif
