/* A model's shape and a Hugging Face config.json, in both directions. */
#ifndef T5_SETUP_HF_SHAPE_H
#define T5_SETUP_HF_SHAPE_H
#include "io/hf_config.h"
#include "model/model.h"

t5_shape t5_shape_of_hf(const t5_hf_config *config);
t5_hf_config t5_hf_of_shape(const t5_shape *shape, t5_hf_family family, double dropout_rate);

/* The decimal number that a float was read from: 1e-6 rather than 9.99999997e-7. */
double t5_as_written(float value);

#endif
