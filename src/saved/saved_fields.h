/* What a checkpoint says beside its weights (docs/results.md): one table of fields for writing and
 * reading. */
#ifndef T5_SAVED_SAVED_FIELDS_H
#define T5_SAVED_SAVED_FIELDS_H
#include "base/config.h"
#include "io/hf_config.h"
#include "io/store_read.h"
#include "model/model.h"

typedef struct t5_saved_fields {
    t5_hf_family family;   /* of /model: model_type */
    t5_shape shape;        /* attributes of /model, named as in config.json */
    t5_decode_spec decode; /* attributes of /decode, named as the keys of eval */
    double dropout_rate;   /* of /model: what the trial was trained with */
    int max_input;         /* of /model: tokens of an input, the end token included */
} t5_saved_fields;

/* Errors stick to the store. */
void t5_saved_fields_put(t5_store *store, const t5_saved_fields *fields);
/* T5_ERR_INPUT naming the attribute that is missing, or has a value that none of this version has.
 */
t5_status t5_saved_fields_get(t5_store_reader *reader, t5_saved_fields *fields, t5_error *err);

#endif
