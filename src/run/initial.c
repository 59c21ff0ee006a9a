#include "run/initial.h"
#include "setup/label_rows.h"
#include <stdlib.h>
#include <string.h>

/* One piece of a parameter, on the group's first rank. */
static t5_status fetch(t5_worker *w, const t5_param *p, int64_t first, int64_t n, float *out,
                       t5_error *err) {
    t5_weights_request want = {.first = first, .n = n};
    void *reply = NULL;
    size_t bytes = 0;
    if (w->pretrained)
        return t5_pretrained_read(w->pretrained, p->name, first, n, out, err);
    memcpy(want.name, p->name, sizeof want.name);
    if (t5_service_call(w->service, T5_MSG_WEIGHTS, &want, sizeof want, &reply, &bytes, err) !=
            T5_OK ||
        t5_host_check_reply(&reply, &bytes, err) != T5_OK)
        return err->status;
    if (bytes == (size_t)n * sizeof *out)
        memcpy(out, reply, bytes);
    else
        t5_fail(err, T5_ERR_COMM, "rank 0 sent %zu bytes of %s instead of %lld elements", bytes,
                p->name, (long long)n);
    free(reply);
    return err->status;
}

/* The first n elements of a parameter. A failure stays in *err and the pieces go on, so that no
 * rank waits for one that has left; only when the group itself fails is there no going on. */
static t5_status pass_on(t5_worker *w, t5_model *model, const t5_param *p, int64_t n, float *piece,
                         t5_error *err) {
    for (int64_t first = 0; first < n; first += T5_WEIGHTS_PIECE) {
        int64_t part = n - first < T5_WEIGHTS_PIECE ? n - first : T5_WEIGHTS_PIECE;
        float *to = t5_model_in_place(model, T5_ARENA_WEIGHT, p->offset + first, err);
        t5_error comm = {0};
        to = to ? to : piece;
        if (w->leader && err->status == T5_OK)
            fetch(w, p, first, part, to, err);
        if (t5_comm_size(w->group) > 1 &&
            t5_comm_bcast(w->group, 0, to, (size_t)part * sizeof *to, &comm) != T5_OK)
            return t5_fail(err, comm.status, "%s", comm.text);
        if (err->status == T5_OK)
            t5_model_write(model, T5_ARENA_WEIGHT, p->offset + first, part, to, err);
    }
    return T5_OK;
}

static t5_status load(t5_worker *w, t5_model *model, t5_error *err) {
    float *piece = malloc(T5_WEIGHTS_PIECE * sizeof *piece);
    if (!piece)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for a piece of the weights");
    if (t5_comm_agree(w->group, err) != T5_OK)
        goto done;
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        /* the vocabulary grows for the labels; nothing else of a shape does */
        int64_t rows = t5_is_embedding(p) ? w->setup->settings.shape.vocab : p->rows;
        if (pass_on(w, model, p, rows * p->cols, piece, err) != T5_OK)
            break;
    }
    t5_comm_agree(w->group, err);
done:
    free(piece);
    return err->status;
}

t5_status t5_initial_weights(t5_worker *w, t5_model *model, uint64_t seed, int n_labels,
                             t5_error *err) {
    if (!w->setup->settings.pretrained)
        t5_model_init_random(model, seed, err);
    else if (load(w, model, err) == T5_OK)
        t5_label_rows_init(w->setup, model, seed, n_labels, err);
    return t5_comm_agree(w->group, err);
}
