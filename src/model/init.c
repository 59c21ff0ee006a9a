#include "base/rng.h"
#include "model/internal.h"
#include <stdlib.h>

enum { CHUNK = 1 << 18 };

void t5_model_draw(const t5_model *m, uint64_t seed, int i, int64_t first, int64_t n, float *out) {
    float std = m->layout.init_std[i];
    if (std > 0)
        t5_rng_normal(seed, (uint32_t)T5_RNG_INIT | (uint32_t)i, (uint64_t)first, (uint64_t)n, out);
    for (int64_t j = 0; j < n; j++)
        out[j] = std > 0 ? out[j] * std : 1;
}

t5_status t5_model_init_random(t5_model *m, uint64_t seed, t5_error *err) {
    t5_status status = T5_OK;
    float *chunk = malloc(CHUNK * sizeof *chunk);
    if (!chunk)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for initial weights");
    for (int i = 0; i < m->layout.n_params; i++) {
        const t5_param *p = &m->layout.param[i];
        int64_t size = p->rows * p->cols;
        for (int64_t first = 0; first < size; first += CHUNK) {
            int64_t n = size - first < CHUNK ? size - first : CHUNK;
            t5_model_draw(m, seed, i, first, n, chunk);
            status = t5_model_write(m, T5_ARENA_WEIGHT, p->offset + first, n, chunk, err);
            if (status != T5_OK)
                goto done;
        }
    }
done:
    free(chunk);
    return status;
}
