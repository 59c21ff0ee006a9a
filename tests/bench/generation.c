#include "bench.h"

#include "model/generate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t bench_process_memory(const char *key) {
    size_t kib = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtoul(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return kib * 1024;
}

static int by_size(const void *pa, const void *pb) {
    const double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

/* Seconds a batch of round r. */
static t5_status time_round(t5_model *model, const bench_workload *work, const bench_generation *g,
                            const t5_generate_settings *how, int r, int32_t *ids, double *seconds,
                            t5_error *err) {
    int32_t *length = ids + (size_t)g->rows * (size_t)g->tokens;
    const double begin = bench_now();
    for (int i = 0; i < g->batches; i++) {
        const t5_batch *b = &work->batches[r * g->batches + i];
        const t5_input in = {.n_seq = b->n_seq,
                             .n_enc = b->n_enc,
                             .max_enc = b->max_enc,
                             .enc_ids = b->enc_ids,
                             .enc_start = b->enc_start,
                             .row = b->row};
        const t5_status status = t5_generate(model, &in, how, ids, length, NULL, err);
        if (status != T5_OK)
            return status;
    }
    *seconds = (bench_now() - begin) / g->batches;
    return T5_OK;
}

t5_status bench_generate(t5_model *model, const bench_workload *work, const bench_generation *g,
                         t5_error *err) {
    const size_t vocab = (size_t)t5_model_shape(model)->vocab;
    const int rounds = g->rounds + 1;
    uint8_t *allowed = malloc(vocab);
    int32_t *ids = malloc((size_t)g->rows * (size_t)(g->tokens + 1) * sizeof *ids);
    double *seconds = calloc((size_t)rounds, sizeof *seconds);
    t5_status status = T5_OK;
    if (!allowed || !ids || !seconds) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory");
        goto done;
    }
    memset(allowed, 1, vocab);
    allowed[t5_model_shape(model)->eos_id] = 0;
    const t5_generate_settings how = {.kind = T5_GENERATE_GREEDY,
                                      .max_length = g->tokens,
                                      .temperature = 1,
                                      .top_p = 1,
                                      .repetition_penalty = 1,
                                      .allowed = allowed};
    for (int r = 0; r < rounds && status == T5_OK; r++)
        status = time_round(model, work, g, &how, r, ids, &seconds[r], err);
    if (status != T5_OK)
        goto done;
    qsort(seconds + 1, (size_t)g->rounds, sizeof *seconds, by_size);
    const double middle = seconds[1 + g->rounds / 2];
    printf("  batch               %9.2f ms, %.1f rows/s (median; rounds %.1f to %.1f)\n",
           1e3 * middle, g->rows / middle, g->rows / seconds[g->rounds], g->rows / seconds[1]);
    printf("  process             %9.1f MB in all\n",
           1e-6 * (double)bench_process_memory("VmHWM:"));
done:
    free(seconds);
    free(ids);
    free(allowed);
    return status;
}
