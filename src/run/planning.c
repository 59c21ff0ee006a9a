/* `t5mpi plan`: what a configuration would do, without doing it. */
#include "run/keeper.h"
#include "run/prepare.h"
#include <stdlib.h>
#include <string.h>

static void human_bytes(char *text, size_t size, double bytes) {
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;
    for (; bytes >= 1024 && u < 4; u++)
        bytes /= 1024;
    snprintf(text, size, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
}

/* Tokens of the longest batch that a rank can get: what its work memory must hold. */
static void largest_batch(const t5_prepared *p, int64_t *n_enc, int64_t *n_dec, int *n_seq) {
    const t5_config *c = p->config;
    *n_seq = (c->train.batch_size + c->ranks_per_trial - 1) / c->ranks_per_trial;
    *n_enc = (int64_t)*n_seq * c->data.max_input;
    *n_dec = (int64_t)*n_seq * c->data.max_target;
    if (c->train.micro_batch_tokens > 0 && *n_enc + *n_dec > c->train.micro_batch_tokens) {
        *n_dec = *n_dec * c->train.micro_batch_tokens / (*n_enc + *n_dec);
        *n_enc = c->train.micro_batch_tokens - *n_dec;
    }
}

/* What is written of the trials that are in training. */
static void print_checkpoints(const t5_config *c, int64_t params, FILE *out) {
    char copy[32], file[32];
    if (c->train.checkpoint_every.kind == T5_EVERY_NEVER)
        return;
    human_bytes(copy, sizeof copy, (double)t5_keeper_bytes(params, c->ranks_per_trial));
    human_bytes(file, sizeof file, 4.0 * (double)params * sizeof(float));
    fprintf(out,
            "         and on the host at most %s for a copy of what is being written\n"
            "disk     of every trial in training %d checkpoint%s of at most %s, and another one "
            "while it is written (train.checkpoint_every)\n",
            copy, c->train.keep_checkpoints, c->train.keep_checkpoints == 1 ? "" : "s", file);
}

static void print_memory(const t5_prepared *p, bool bf16, FILE *out) {
    int64_t n_enc, n_dec;
    int n_seq;
    char arenas[32], rest[32], disk[32];
    t5_shape shape = p->settings.shape;
    largest_batch(p, &n_enc, &n_dec, &n_seq);
    shape.vocab = t5_settings_vocab(&p->settings, p->source.tokenizer,
                                    t5_labels_size(t5_dataset_labels(p->source.set)));
    int64_t params = t5_shape_params(&shape);
    t5_memory_need need = t5_model_memory(&shape, bf16, true, n_enc, n_dec, n_seq);
    human_bytes(arenas, sizeof arenas, (double)need.arenas);
    human_bytes(rest, sizeof rest, (double)(need.activations + need.work));
    human_bytes(disk, sizeof disk, (double)params * sizeof(float) * p->plan.n);
    fprintf(out,
            "model    %s: %.2f million parameters, vocabulary %d\n"
            "memory   a rank: %s for weights, gradients and moments, at most %s for a pass over "
            "%lld tokens\n",
            p->config->model.path ? p->config->model.path : p->config->model.preset,
            (double)params / 1e6, shape.vocab, arenas, rest, (long long)(n_enc + n_dec));
    print_checkpoints(p->config, params, out);
    if (p->config->save_weights)
        fprintf(out,
                "disk     at most %s for the best weights of %d trial%s (output.save_weights)\n",
                disk, p->plan.n, p->plan.n == 1 ? "" : "s");
}

static void print_lengths(const t5_prepared *p, t5_error *err, FILE *out) {
    t5_shard *s;
    int64_t longest = 0, longest_target = 0;
    const t5_selection *sel;
    if (t5_dataset_select(p->source.set, 0, &sel, err) != T5_OK ||
        t5_dataset_shard(p->source.set, 0, T5_TRAIN, 0, 1, &s, err) != T5_OK)
        return;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t a = s->input_start[i + 1] - s->input_start[i];
        int64_t b = s->target_start[i + 1] - s->target_start[i];
        longest = a > longest ? a : longest;
        longest_target = b > longest_target ? b : longest_target;
    }
    if (s->n > 0)
        fprintf(out,
                "lengths  input %.1f tokens on average, %lld at most; target %.1f, %lld at most "
                "(training split)\n",
                (double)s->input_start[s->n] / (double)s->n, (long long)longest,
                (double)s->target_start[s->n] / (double)s->n, (long long)longest_target);
    t5_shard_destroy(s);
}

static const char *loss_text(char *text, size_t size, const t5_loss_spec *l) {
    if (l->kind == T5_LOSS_FOCAL)
        snprintf(text, size, "focal, gamma %g, alpha %g", l->gamma, l->alpha);
    else
        snprintf(text, size, "cross entropy, smoothing %g", l->label_smoothing);
    return text;
}

static void print_trial(const t5_prepared *p, int t, FILE *out) {
    const t5_plan_trial *trial = &p->plan.trials[t];
    const t5_source_selection *found = t5_source_find(&p->source, trial->spec.top_n);
    const t5_selection *sel;
    t5_error err = {0};
    char loss[64], top[24] = "all";
    if (trial->spec.top_n > 0)
        snprintf(top, sizeof top, "Top-%d", trial->spec.top_n);
    fprintf(out, "  %2d  %-28s learning rate %-8g %-8s %s, seed %llu\n", t + 1, trial->name,
            trial->spec.learning_rate, top, loss_text(loss, sizeof loss, &trial->spec.loss),
            (unsigned long long)trial->spec.seed);
    if (!found || t5_dataset_select(p->source.set, trial->spec.top_n, &sel, &err) != T5_OK) {
        fprintf(out, "      will fail: the filter leaves no rows\n");
        return;
    }
    int64_t steps =
        (sel->split.n_train + p->config->train.batch_size - 1) / p->config->train.batch_size;
    fprintf(out, "      rows %lld: %lld train, %lld validation, %lld test; %lld steps an epoch\n",
            (long long)sel->n, (long long)sel->split.n_train, (long long)sel->split.n_val,
            (long long)sel->split.n_test, (long long)steps);
    fprintf(out, "      without a model: %s: Jaccard %.4f, exact %.4f, micro F1 %.4f\n",
            found->no_model_name, found->no_model.avg_jaccard, found->no_model.exact_match_rate,
            found->no_model.micro_f1);
    if (trial->improved >= 0 || trial->otherwise >= 0)
        fprintf(out, "      then: improved -> %s, otherwise -> %s\n",
                trial->improved >= 0 ? p->plan.trials[trial->improved].name : "the end",
                trial->otherwise >= 0 ? p->plan.trials[trial->otherwise].name : "the end");
}

static void print_decoding(const t5_decode_spec *d, FILE *out) {
    fputs("answers  the test rows ", out);
    if (d->kind == T5_DECODE_BEAM)
        fprintf(out, "with %d beams", d->beams);
    else if (d->kind == T5_DECODE_SAMPLE)
        fprintf(out, "drawn (temperature %g, top-k %d, top-p %g)", d->temperature, d->top_k,
                d->top_p);
    else
        fputs("greedily", out);
    if (d->repetition_penalty != 1)
        fprintf(out, ", repetition penalty %g", d->repetition_penalty);
    fprintf(out, ", %s, at most %d tokens; validation greedily\n",
            d->restrict_to_labels ? "labels only" : "any token", d->max_length);
}

static const char *precision_name(t5_precision wished, bool bf16) {
    return bf16 ? "bf16" : wished == T5_PRECISION_TF32 ? "tf32" : "fp32";
}

t5_status t5_sweep_plan(t5_comm *world, const t5_command *command, FILE *out, t5_error *err) {
    t5_prepared p = {0};
    t5_device *device = NULL;
    t5_device_wish wish = {0};
    bool bf16 = false;
    if (t5_comm_rank(world) == 0 &&
        t5_prepare(command, t5_comm_size(world), false, &p, err) == T5_OK)
        wish = p.settings.device;
    if (t5_comm_agree(world, err) == T5_OK &&
        t5_comm_bcast(world, 0, &wish, sizeof wish, err) == T5_OK &&
        t5_devices_open(world, &wish, &device, &bf16, err) == T5_OK && t5_comm_rank(world) == 0) {
        t5_prepared_greet(&p, t5_comm_size(world), device->info, out);
        fputc('\n', out);
        print_lengths(&p, err, out);
        print_memory(&p, bf16, out);
        fprintf(out, "training at most %d epochs of batches of %d rows, %s\n",
                p.config->train.epochs, p.config->train.batch_size,
                precision_name(p.config->train.precision, bf16));
        print_decoding(&p.settings.eval, out);
        fputc('\n', out);
        for (int t = 0; t < p.plan.n; t++)
            print_trial(&p, t, out);
    }
    t5_device_close(device);
    t5_prepared_free(&p);
    return t5_comm_agree(world, err);
}
