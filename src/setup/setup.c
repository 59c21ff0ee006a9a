#include "setup/setup.h"
#include "score/metrics.h"
#include <stdlib.h>
#include <string.h>

static t5_shape random_shape(const t5_config_model *m, const t5_tokenizer *tokenizer) {
    return (t5_shape){
        .d_model = m->d_model,
        .d_kv = m->d_kv,
        .d_ff = m->d_ff,
        .heads = m->num_heads,
        .enc_layers = m->num_layers,
        .dec_layers = m->num_decoder_layers,
        .buckets = m->relative_buckets,
        .max_distance = m->relative_max_distance,
        .act = m->act == T5_ACT_RELU ? T5_ACTIVATION_RELU : T5_ACTIVATION_GATED_GELU,
        .tied = m->tied,
        .eps = 1e-6f,
        .pad_id = t5_tokenizer_pad(tokenizer),
        .eos_id = t5_tokenizer_eos(tokenizer),
        .start_id = t5_tokenizer_pad(tokenizer), /* T5 starts its decoder with the pad token */
    };
}

t5_status t5_check_tokenizer(const t5_shape *shape, const t5_tokenizer *tokenizer, t5_error *err) {
    if (t5_tokenizer_pieces(tokenizer) > shape->vocab)
        return t5_fail(err, T5_ERR_INPUT,
                       "the tokeniser has %d pieces, the model's vocab_size is %d",
                       t5_tokenizer_pieces(tokenizer), shape->vocab);
    if (t5_tokenizer_eos(tokenizer) != shape->eos_id)
        return t5_fail(err, T5_ERR_INPUT,
                       "the tokeniser's end token is %d, config.json's eos_token_id %d",
                       t5_tokenizer_eos(tokenizer), shape->eos_id);
    return T5_OK;
}

t5_status t5_settings_fill(const t5_config *config, const t5_tokenizer *tokenizer,
                           const t5_pretrained *pretrained, int n_trials, t5_settings *s,
                           t5_error *err) {
    memset(s, 0, sizeof *s);
    s->pretrained = pretrained != NULL;
    s->shape =
        pretrained ? *t5_pretrained_shape(pretrained) : random_shape(&config->model, tokenizer);
    if (pretrained && t5_check_tokenizer(&s->shape, tokenizer, err) != T5_OK)
        return t5_error_prefix(err, "model.path");
    s->family = pretrained ? t5_pretrained_family(pretrained) : T5_HF_T5;
    s->label_init = config->model.label_init;
    s->train = config->train;
    s->eval = config->eval;
    if (s->eval.max_length == 0)
        s->eval.max_length = config->data.max_target;
    s->eval_batch_size = config->eval_batch_size;
    s->max_input = config->data.max_input;
    s->save_weights = config->save_weights;
    s->ranks_per_trial = config->ranks_per_trial;
    s->device = (t5_device_wish){.precision = config->train.precision,
                                 .threads = config->threads,
                                 .share_gpu = config->share_gpu};
    s->reduce_bf16 = config->reduce == T5_REDUCE_BF16;
    s->timeout_s = config->timeout_s;
    s->n_trials = n_trials;
    s->decide_by = t5_metric_find(config->decide_by);
    if (strlen(config->output_dir) >= sizeof s->output_dir)
        return t5_fail(err, T5_ERR_INPUT, "output.dir: the path is longer than %zu bytes",
                       sizeof s->output_dir - 1);
    strcpy(s->output_dir, config->output_dir);
    return T5_OK;
}

int t5_settings_vocab(const t5_settings *s, const t5_tokenizer *tokenizer, int n_labels) {
    int rows = t5_tokenizer_rows(tokenizer, n_labels);
    return rows > s->shape.vocab ? rows : s->shape.vocab;
}

/* The labels as one block: per label its count (int64), its length (int64), its bytes. */
static t5_status labels_to_block(const t5_labels *labels, char **block, size_t *bytes,
                                 t5_error *err) {
    int n = t5_labels_size(labels);
    *bytes = 0;
    for (int l = 0; l < n; l++)
        *bytes += 2 * sizeof(int64_t) + t5_labels_name(labels, l).n;
    *block = malloc(*bytes + 1);
    if (!*block)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the label table (%zu bytes)", *bytes);
    char *p = *block;
    for (int l = 0; l < n; l++) {
        t5_str name = t5_labels_name(labels, l);
        int64_t head[2] = {t5_labels_occurrences(labels, l), (int64_t)name.n};
        memcpy(p, head, sizeof head);
        memcpy(p + sizeof head, name.s, name.n);
        p += sizeof head + name.n;
    }
    return T5_OK;
}

static t5_status labels_from_block(const char *block, int n, t5_labels **labels, t5_error *err) {
    t5_str *names = malloc(((size_t)n + 1) * sizeof *names);
    int64_t *counts = malloc(((size_t)n + 1) * sizeof *counts);
    if (!names || !counts) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for %d labels", n);
        goto done;
    }
    for (int l = 0; l < n; l++) {
        int64_t head[2];
        memcpy(head, block, sizeof head);
        counts[l] = head[0];
        names[l] = (t5_str){block + sizeof head, (size_t)head[1]};
        block += sizeof head + head[1];
    }
    t5_labels_from_list(n, names, counts, labels, err);
done:
    free(names);
    free(counts);
    return err->status;
}

/* Broadcasts rank 0's bytes; everybody gets a malloc'd copy in *block. */
static t5_status share_block(t5_comm *world, const void *mine, void **block, size_t bytes,
                             t5_error *err) {
    if (!(*block = malloc(bytes + 1)))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for %zu bytes from rank 0", bytes);
    else if (mine)
        memcpy(*block, mine, bytes);
    if (t5_comm_agree(world, err) == T5_OK)
        t5_comm_bcast(world, 0, *block, bytes, err);
    return err->status;
}

t5_status t5_setup_share(t5_comm *world, const t5_settings *settings, const void *tokenizer,
                         size_t tokenizer_bytes, const t5_labels *labels, t5_setup *setup,
                         t5_error *err) {
    bool root = t5_comm_rank(world) == 0;
    struct {
        t5_settings settings;
        size_t tokenizer_bytes, label_bytes;
        int n_labels;
    } head;
    char *labels_here = NULL;
    void *list = NULL;

    memset(&head, 0, sizeof head);
    memset(setup, 0, sizeof *setup);
    if (root) {
        head.settings = *settings;
        head.tokenizer_bytes = tokenizer_bytes;
        head.n_labels = t5_labels_size(labels);
        labels_to_block(labels, &labels_here, &head.label_bytes, err);
    }
    if (t5_comm_agree(world, err) != T5_OK ||
        t5_comm_bcast(world, 0, &head, sizeof head, err) != T5_OK ||
        share_block(world, root ? tokenizer : NULL, &setup->tokenizer_block, head.tokenizer_bytes,
                    err) != T5_OK ||
        share_block(world, labels_here, &list, head.label_bytes, err) != T5_OK)
        goto done;
    setup->settings = head.settings;
    setup->tokenizer_bytes = head.tokenizer_bytes;
    if (t5_tokenizer_from_block(setup->tokenizer_block, setup->tokenizer_bytes, &setup->tokenizer,
                                err) == T5_OK &&
        labels_from_block(list, head.n_labels, &setup->labels, err) == T5_OK)
        t5_tokenizer_add_labels(setup->tokenizer, setup->labels, err);
    t5_comm_agree(world, err);
done:
    free(labels_here);
    free(list);
    if (err->status != T5_OK)
        t5_setup_free(setup);
    return err->status;
}

void t5_setup_free(t5_setup *setup) {
    t5_tokenizer_destroy(setup->tokenizer);
    t5_labels_destroy(setup->labels);
    free(setup->tokenizer_block);
    memset(setup, 0, sizeof *setup);
}

int t5_setup_n_labels(const t5_setup *setup, int top_n) {
    int n = t5_labels_size(setup->labels);
    return top_n > 0 && top_n < n ? top_n : n;
}
