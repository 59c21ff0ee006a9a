#include "setup/hf_shape.h"
#include <stdio.h>
#include <stdlib.h>

t5_shape t5_shape_of_hf(const t5_hf_config *c) {
    return (t5_shape){
        .vocab = c->vocab_size,
        .d_model = c->d_model,
        .d_kv = c->d_kv,
        .d_ff = c->d_ff,
        .heads = c->num_heads,
        .enc_layers = c->num_layers,
        .dec_layers = c->num_decoder_layers,
        .buckets = c->relative_buckets,
        .max_distance = c->relative_max_distance,
        .act = c->gated_gelu ? T5_ACTIVATION_GATED_GELU : T5_ACTIVATION_RELU,
        .tied = c->tied,
        .unscaled = c->tied && !c->scaled_output,
        .bias_every_layer = c->bias_every_layer,
        .eps = (float)c->layer_norm_epsilon,
        .pad_id = c->pad_id,
        .eos_id = c->eos_id,
        .start_id = c->start_id,
    };
}

t5_hf_config t5_hf_of_shape(const t5_shape *shape, t5_hf_family family, double dropout_rate) {
    return (t5_hf_config){
        .family = family,
        .vocab_size = shape->vocab,
        .d_model = shape->d_model,
        .d_kv = shape->d_kv,
        .d_ff = shape->d_ff,
        .num_heads = shape->heads,
        .num_layers = shape->enc_layers,
        .num_decoder_layers = shape->dec_layers,
        .relative_buckets = shape->buckets,
        .relative_max_distance = shape->max_distance,
        .gated_gelu = shape->act == T5_ACTIVATION_GATED_GELU,
        .tied = shape->tied,
        .scaled_output = shape->tied && !shape->unscaled,
        .bias_every_layer = shape->bias_every_layer,
        .layer_norm_epsilon = t5_as_written(shape->eps),
        .dropout_rate = dropout_rate,
        .pad_id = shape->pad_id,
        .eos_id = shape->eos_id,
        .start_id = shape->start_id,
    };
}

double t5_as_written(float value) {
    char text[32];
    snprintf(text, sizeof text, "%.7g", (double)value);
    return strtod(text, NULL);
}
