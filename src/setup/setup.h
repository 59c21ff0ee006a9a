/* What every rank must know before the first trial: the settings (plain values), the tokeniser and
 * the labels. Rank 0 fills it from the configuration and the data; the others receive it. */
#ifndef T5_SETUP_SETUP_H
#define T5_SETUP_SETUP_H
#include "base/config.h"
#include "data/tokenizer.h"
#include "model/model.h"
#include "mpi/comm.h"
#include "setup/devices.h"
#include "setup/pretrained.h"

typedef struct t5_settings {
    t5_shape shape; /* vocab: rows of the pre-trained embedding, 0 without one; t5_settings_vocab */
    t5_hf_family family;
    bool pretrained; /* weights come from rank 0's model.path */
    t5_label_init label_init;
    t5_config_train train;
    t5_device_wish device;
    bool reduce_bf16;    /* parallel.reduce */
    double timeout_s;    /* parallel.timeout_s */
    t5_decode_spec eval; /* max_length is not 0 */
    int eval_batch_size;
    int max_input;
    bool save_weights; /* of every trial's best epoch */
    int ranks_per_trial;
    int n_trials;
    int decide_by; /* number of the metric that decides (score/metrics.h) */
    char output_dir[4096];
} t5_settings;

typedef struct t5_setup {
    t5_settings settings;
    t5_tokenizer *tokenizer;
    void *tokenizer_block; /* what it was made of (t5_tokenizer_from_block) */
    size_t tokenizer_bytes;
    t5_labels *labels; /* all labels, the most frequent first */
} t5_setup;

/* Plain settings of a configuration. pretrained: the model of model.path, NULL without one; then
 * the special ids come from the tokeniser. T5_ERR_INPUT: the two do not fit each other. */
t5_status t5_settings_fill(const t5_config *config, const t5_tokenizer *tokenizer,
                           const t5_pretrained *pretrained, int n_trials, t5_settings *settings,
                           t5_error *err);
/* A model and a tokeniser of one directory may still be of two: T5_ERR_INPUT if the model has no
 * rows for all pieces, or another end token. */
t5_status t5_check_tokenizer(const t5_shape *shape, const t5_tokenizer *tokenizer, t5_error *err);
/* Vocabulary of a model that knows n_labels labels: a pre-trained one's never shrinks. */
int t5_settings_vocab(const t5_settings *settings, const t5_tokenizer *tokenizer, int n_labels);

/* Rank 0 gives settings, the tokeniser (for t5_tokenizer_from_block) and the labels (NULL
 * elsewhere); every rank gets its own setup, whose tokeniser knows the labels, freed by
 * t5_setup_free. Collective; ranks agree on failure. */
t5_status t5_setup_share(t5_comm *world, const t5_settings *settings, const void *tokenizer,
                         size_t tokenizer_bytes, const t5_labels *labels, t5_setup *setup,
                         t5_error *err);
void t5_setup_free(t5_setup *setup);

/* Labels that a trial with this filter knows, and its vocabulary. */
int t5_setup_n_labels(const t5_setup *setup, int top_n);

#endif
