#include "run/evaluate.h"
#include "setup/generation.h"
#include "setup/input.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void t5_answers_free(char **answers, int64_t n) {
    for (int64_t i = 0; answers && i < n; i++)
        free(answers[i]);
    free(answers);
}

/* Rows [from, to) of a shard as a batch; without targets for generation. */
static t5_status fill_batch(t5_batch *b, const t5_shard *s, int64_t from, int64_t to,
                            bool with_targets, int32_t start_id, t5_error *err) {
    t5_batch_clear(b);
    for (int64_t i = from; i < to; i++) {
        int n_target = with_targets ? (int)(s->target_start[i + 1] - s->target_start[i]) : 0;
        if (t5_batch_append(b, s->input + s->input_start[i],
                            (int)(s->input_start[i + 1] - s->input_start[i]),
                            s->target + s->target_start[i], n_target, start_id,
                            (uint32_t)(s->first + i), err) != T5_OK)
            break;
    }
    return err->status;
}

/* Between two batches, on this rank alone: the ranks agree before they next meet. */
static t5_status check_stop(const t5_worker *w, t5_error *err) {
    t5_comm_progress(w->group);
    return t5_stop_signal(w->stop)
               ? t5_fail(err, T5_INTERRUPTED, "during an evaluation; --resume repeats it")
               : T5_OK;
}

/* This rank's sum of token losses and number of target tokens. */
static t5_status shard_loss(t5_worker *w, t5_model *model, const t5_shard *s,
                            const t5_evaluation *e, double sums[2], t5_error *err) {
    int batch = w->setup->settings.eval_batch_size;
    t5_batch b;
    t5_batch_init(&b);
    for (int64_t i = 0; i < s->n && err->status == T5_OK; i += batch) {
        int64_t to = i + batch < s->n ? i + batch : s->n;
        if (check_stop(w, err) != T5_OK ||
            fill_batch(&b, s, i, to, true, t5_model_shape(model)->start_id, err) != T5_OK)
            break;
        t5_input in = t5_input_of(&b);
        sums[1] += b.n_dec;
        t5_model_evaluate(model, &in, &e->loss, i == 0, NULL, err);
    }
    if (s->n > 0 && err->status == T5_OK)
        t5_model_loss_sum(model, &sums[0], err);
    t5_batch_free(&b);
    return err->status;
}

/* This rank's answers: per row the number of tokens, then max_length ids. */
static t5_status shard_answers(t5_worker *w, t5_model *model, const t5_shard *s,
                               const t5_evaluation *e, int32_t *out, t5_error *err) {
    const t5_shape *shape = t5_model_shape(model);
    int max_length = e->decode->max_length, record = max_length + 1;
    int most = w->setup->settings.eval_batch_size;
    int batch = s->n < most ? (int)s->n : most; /* room for rows that are there */
    uint8_t *allowed = NULL;
    int32_t *ids = malloc((size_t)batch * (size_t)(max_length + 1) * sizeof *ids + 1);
    t5_batch b;

    t5_batch_init(&b);
    if (!ids)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for generated answers");
    else if (e->decode->restrict_to_labels)
        t5_generation_labels(w->setup->tokenizer, e->n_labels, shape, &allowed, err);
    if (err->status != T5_OK)
        goto done;
    t5_generate_settings g = t5_generation_of(e->decode, allowed);
    for (int64_t i = 0; i < s->n; i += batch) {
        int64_t to = i + batch < s->n ? i + batch : s->n;
        int32_t *length = ids + (size_t)batch * (size_t)max_length;
        if (check_stop(w, err) != T5_OK ||
            fill_batch(&b, s, i, to, false, shape->start_id, err) != T5_OK)
            break;
        t5_input in = t5_input_of(&b);
        if (t5_generate(model, &in, &g, ids, length, NULL, err) != T5_OK)
            break;
        for (int64_t k = 0; k < to - i; k++) {
            int32_t *r = out + (i + k) * record;
            r[0] = length[k];
            memcpy(r + 1, ids + k * max_length, (size_t)max_length * sizeof *r);
        }
    }
done:
    t5_batch_free(&b);
    free(allowed);
    free(ids);
    return err->status;
}

/* The gathered records as texts, on the leader. */
static t5_status decode_answers(t5_worker *w, const int32_t *records, int64_t n, int max_length,
                                char ***answers, t5_error *err) {
    *answers = calloc((size_t)n + 1, sizeof **answers);
    if (!*answers)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %lld answers", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const int32_t *r = records + i * (max_length + 1);
        if (t5_tokenizer_decode(w->setup->tokenizer, w->setup->labels, r + 1, r[0], &(*answers)[i],
                                err) != T5_OK)
            break;
    }
    return err->status;
}

static t5_status score_answers(t5_worker *w, t5_split_kind kind, char **answers, int64_t n,
                               t5_metrics *metrics, t5_error *err) {
    t5_str top[T5_TOP], *pred = malloc(((size_t)n + 1) * sizeof *pred);
    int n_top = t5_top_labels(w->setup->labels, top);
    if (!pred)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %lld answers", (long long)n);
    for (int64_t i = 0; i < n; i++)
        pred[i] = (t5_str){answers[i], strlen(answers[i])};
    t5_score_rows(n, w->texts[kind].target, pred, top, n_top, metrics, err);
    free(pred);
    return err->status;
}

static t5_status group_answers(t5_worker *w, t5_model *model, t5_split_kind kind,
                               const t5_evaluation *e, t5_metrics *metrics, char ***answers,
                               t5_error *err) {
    const t5_shard *s = w->split[kind];
    int max_length = e->decode->max_length;
    size_t bytes = (size_t)s->n * (size_t)(max_length + 1) * sizeof(int32_t);
    int32_t *mine = malloc(bytes + 1);
    void *all = NULL;
    size_t *offsets = NULL;
    char **texts = NULL;

    if (!mine)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for generated answers");
    else
        shard_answers(w, model, s, e, mine, err);
    if (t5_comm_agree(w->group, err) != T5_OK ||
        t5_comm_gather(w->group, mine, bytes, &all, &offsets, err) != T5_OK)
        goto done;
    if (w->leader && decode_answers(w, all, s->n_total, max_length, &texts, err) == T5_OK)
        score_answers(w, kind, texts, s->n_total, metrics, err);
    t5_comm_agree(w->group, err);
done:
    if (answers && err->status == T5_OK)
        *answers = texts;
    else
        t5_answers_free(texts, s->n_total);
    free(mine);
    free(all);
    free(offsets);
    return err->status;
}

t5_status t5_evaluate(t5_worker *w, t5_model *model, t5_split_kind kind, const t5_evaluation *e,
                      double *loss, t5_metrics *metrics, char ***answers, t5_error *err) {
    double sums[2] = {0, 0};
    if (answers)
        *answers = NULL;
    if (e->want_loss) {
        shard_loss(w, model, w->split[kind], e, sums, err);
        if (t5_comm_agree(w->group, err) != T5_OK ||
            t5_comm_sum_double(w->group, sums, 2, err) != T5_OK)
            return err->status;
    }
    *loss = sums[1] > 0 ? sums[0] / sums[1] : NAN;
    if (e->want_answers && w->split[kind]->n_total > 0)
        group_answers(w, model, kind, e, metrics, answers, err);
    return err->status;
}
