#include "report/curves.h"
#include <stdlib.h>

void t5_curve_free(t5_curve *c) {
    free(c->x);
    free(c->y);
    *c = (t5_curve){0};
}

static t5_status reserve(t5_curve *c, int64_t n, t5_error *err) {
    c->x = malloc(((size_t)n + 1) * sizeof *c->x);
    c->y = malloc(((size_t)n + 1) * sizeof *c->y);
    return c->x && c->y ? T5_OK : t5_fail(err, T5_ERR_MEMORY, "out of memory for a curve");
}

/* Steps of an epoch: the last one of the first. */
static double steps_per_epoch(const int64_t *step, const int64_t *epoch, int64_t n) {
    int64_t last = 1;
    for (int64_t i = 0; i < n && epoch[i] == epoch[0]; i++)
        last = step[i] > 0 ? step[i] : 1;
    return (double)last;
}

t5_status t5_curve_train(t5_store_reader *file, t5_curve *c, t5_error *err) {
    int64_t *step = NULL, *epoch = NULL, n = 0;
    double *loss = NULL;
    bool found;
    *c = (t5_curve){0};
    if (t5_store_find(file, "/train", &found, err) != T5_OK || !found)
        return err->status;
    if (t5_store_get_array(file, "/train", "step", T5_COLUMN_INT, (void **)&step, &n, err) !=
            T5_OK ||
        t5_store_get_array(file, "/train", "epoch", T5_COLUMN_INT, (void **)&epoch, &n, err) !=
            T5_OK ||
        t5_store_get_array(file, "/train", "loss", T5_COLUMN_DOUBLE, (void **)&loss, &n, err) !=
            T5_OK ||
        reserve(c, T5_CURVE_POINTS, err) != T5_OK)
        goto done;
    double per_epoch = n > 0 ? steps_per_epoch(step, epoch, n) : 1;
    int64_t points = n < T5_CURVE_POINTS ? n : T5_CURVE_POINTS;
    for (int64_t p = 0; p < points; p++) {
        int64_t first = p * n / points, end = (p + 1) * n / points;
        double sum = 0;
        for (int64_t i = first; i < end; i++)
            sum += loss[i];
        c->x[p] = (double)(step[first] + step[end - 1]) / 2 / per_epoch;
        c->y[p] = sum / (double)(end - first);
    }
    c->n = points;
done:
    free(step);
    free(epoch);
    free(loss);
    if (err->status != T5_OK)
        t5_curve_free(c);
    return err->status;
}

t5_status t5_curve_eval(t5_store_reader *file, const char *column, t5_curve *c, t5_error *err) {
    int64_t *epoch = NULL, n = 0;
    bool found;
    *c = (t5_curve){0};
    if (t5_store_find(file, "/eval", &found, err) != T5_OK || !found)
        return err->status;
    if (t5_store_get_array(file, "/eval", "epoch", T5_COLUMN_INT, (void **)&epoch, &n, err) ==
            T5_OK &&
        t5_store_get_array(file, "/eval", column, T5_COLUMN_DOUBLE, (void **)&c->y, &n, err) ==
            T5_OK) {
        c->x = malloc(((size_t)n + 1) * sizeof *c->x);
        if (!c->x)
            t5_fail(err, T5_ERR_MEMORY, "out of memory for a curve");
        for (int64_t i = 0; c->x && i < n; i++)
            c->x[i] = (double)epoch[i];
        c->n = n;
    }
    free(epoch);
    if (err->status != T5_OK)
        t5_curve_free(c);
    return err->status;
}
