#include "model/internal.h"
#include <math.h>

typedef struct limit {
    const char *name;
    long value, low, high;
} limit;

/* The upper limits keep every product of sizes within 64 bits. An attention's dropout counter has
 * 16 bits for the head. */
t5_status t5_shape_check(const t5_shape *shape, t5_error *err) {
    const limit limits[] = {
        {"vocab", shape->vocab, 2, 1 << 24},
        {"d_model", shape->d_model, 1, 1 << 16},
        {"d_kv", shape->d_kv, 1, 1 << 12},
        {"d_ff", shape->d_ff, 1, 1 << 20},
        {"heads", shape->heads, 1, 1 << 12},
        {"enc_layers", shape->enc_layers, 1, 1000},
        {"dec_layers", shape->dec_layers, 1, 1000},
        {"buckets", shape->buckets, 4, 1 << 16},
        {"max_distance", shape->max_distance, 2, 1 << 24},
        {"pad_id", shape->pad_id, 0, (long)shape->vocab - 1},
        {"eos_id", shape->eos_id, 0, (long)shape->vocab - 1},
        {"start_id", shape->start_id, 0, (long)shape->vocab - 1},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const limit *l = &limits[i];
        if (l->value < l->low || l->value > l->high)
            return t5_fail(err, T5_ERR_INPUT, "the model's %s is %ld, it must be in %ld to %ld",
                           l->name, l->value, l->low, l->high);
    }
    if (shape->buckets % 2 != 0)
        return t5_fail(err, T5_ERR_INPUT, "the model's buckets is %d, it must be even",
                       shape->buckets);
    /* Buckets grow with the logarithm of the distance from buckets / 2 to max_distance. */
    if (shape->max_distance <= shape->buckets / 2)
        return t5_fail(err, T5_ERR_INPUT,
                       "the model's max_distance is %d, it must be above half of the %d buckets",
                       shape->max_distance, shape->buckets);
    if (shape->act != T5_ACTIVATION_RELU && shape->act != T5_ACTIVATION_GATED_GELU)
        return t5_fail(err, T5_ERR_INPUT, "the model's act is %d, which is no activation",
                       (int)shape->act);
    if (!(shape->eps > 0 && isfinite(shape->eps)))
        return t5_fail(err, T5_ERR_INPUT, "the model's eps is %g, it must be above 0",
                       (double)shape->eps);
    return T5_OK;
}

int64_t t5_shape_params(const t5_shape *shape) {
    int64_t d = shape->d_model, inner = t5_inner(shape);
    int64_t ff = (int64_t)(t5_ff_in(shape) + shape->d_ff) * d;
    int64_t attention = 4 * inner * d;
    int64_t encoder = shape->enc_layers * (attention + ff + 2 * d) + d;
    int64_t decoder = shape->dec_layers * (2 * attention + ff + 3 * d) + d;
    int64_t embedding = (int64_t)shape->vocab * d;
    int layers = shape->bias_every_layer ? shape->enc_layers + shape->dec_layers : T5_STACKS;
    int64_t tables = layers * (int64_t)shape->buckets * shape->heads;
    return encoder + decoder + tables + (shape->tied ? 1 : 2) * embedding;
}

/* A product of the forward pass has two of the same size in the backward pass. Attention over a
 * pair of positions is a product with the keys and one with the values; the recomputation that an
 * implementation may choose to do is not counted. */
double t5_shape_step_flops(const t5_shape *shape, const t5_input *in) {
    double d = shape->d_model, inner = t5_inner(shape), n_enc = in->n_enc, n_dec = in->n_dec;
    double ff = ((double)t5_ff_in(shape) + shape->d_ff) * d;
    double enc_pairs = 0, dec_pairs = 0, cross_pairs = 0;
    for (int s = 0; s < in->n_seq; s++) {
        double e = (double)in->enc_start[s + 1] - in->enc_start[s];
        double t = (double)in->dec_start[s + 1] - in->dec_start[s];
        enc_pairs += e * e;
        dec_pairs += t * (t + 1) / 2;
        cross_pairs += t * e;
    }
    double enc = n_enc * (4 * inner * d + ff) + 2 * inner * enc_pairs;
    double dec = n_dec * (6 * inner * d + ff) + n_enc * 2 * inner * d +
                 2 * inner * (dec_pairs + cross_pairs);
    double madds = shape->enc_layers * enc + shape->dec_layers * dec + n_dec * d * shape->vocab;
    return 3 * 2 * madds;
}
