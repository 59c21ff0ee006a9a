#include "saved/saved_fields.h"
#include "setup/hf_shape.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef enum { INT, BOOL, SEED, FLOAT, DOUBLE, ENUM } kind;

typedef struct field {
    const char *object, *name;
    kind kind;
    size_t offset;        /* in t5_saved_fields */
    const char *words[4]; /* of an enumeration, by number */
} field;

#define SHAPE(name, kind, member)                                        \
    {                                                                    \
        "/model", name, kind, offsetof(t5_saved_fields, shape.member), { \
            0                                                            \
        }                                                                \
    }
#define DECODE(name, kind, member)                                         \
    {                                                                      \
        "/decode", name, kind, offsetof(t5_saved_fields, decode.member), { \
            0                                                              \
        }                                                                  \
    }

static const field fields[] = {
    {"/model",
     "model_type",
     ENUM,
     offsetof(t5_saved_fields, family),
     {[T5_HF_T5] = "t5", [T5_HF_MT5] = "mt5", [T5_HF_UMT5] = "umt5"}},
    SHAPE("vocab_size", INT, vocab),
    SHAPE("d_model", INT, d_model),
    SHAPE("d_kv", INT, d_kv),
    SHAPE("d_ff", INT, d_ff),
    SHAPE("num_heads", INT, heads),
    SHAPE("num_layers", INT, enc_layers),
    SHAPE("num_decoder_layers", INT, dec_layers),
    SHAPE("relative_attention_num_buckets", INT, buckets),
    SHAPE("relative_attention_max_distance", INT, max_distance),
    {"/model",
     "feed_forward_proj",
     ENUM,
     offsetof(t5_saved_fields, shape.act),
     {[T5_ACTIVATION_RELU] = "relu", [T5_ACTIVATION_GATED_GELU] = "gated-gelu"}},
    SHAPE("tie_word_embeddings", BOOL, tied),
    SHAPE("unscaled_output", BOOL, unscaled),
    SHAPE("bias_every_layer", BOOL, bias_every_layer),
    SHAPE("layer_norm_epsilon", FLOAT, eps),
    SHAPE("pad_token_id", INT, pad_id),
    SHAPE("eos_token_id", INT, eos_id),
    SHAPE("decoder_start_token_id", INT, start_id),
    {"/model", "dropout_rate", DOUBLE, offsetof(t5_saved_fields, dropout_rate), {0}},
    {"/model", "max_input", INT, offsetof(t5_saved_fields, max_input), {0}},
    {"/decode",
     "decode",
     ENUM,
     offsetof(t5_saved_fields, decode.kind),
     {[T5_DECODE_GREEDY] = "greedy", [T5_DECODE_BEAM] = "beam", [T5_DECODE_SAMPLE] = "sample"}},
    DECODE("beams", INT, beams),
    DECODE("temperature", DOUBLE, temperature),
    DECODE("top_k", INT, top_k),
    DECODE("top_p", DOUBLE, top_p),
    DECODE("repetition_penalty", DOUBLE, repetition_penalty),
    DECODE("restrict_to_labels", BOOL, restrict_to_labels),
    DECODE("max_length", INT, max_length),
    DECODE("seed", SEED, seed),
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

void t5_saved_fields_put(t5_store *store, const t5_saved_fields *from) {
    for (const field *f = fields; f < fields + N_FIELDS; f++) {
        const void *p = (const char *)from + f->offset;
        switch (f->kind) {
        case INT:
            t5_store_attr_int(store, f->object, f->name, *(const int *)p);
            break;
        case BOOL:
            t5_store_attr_int(store, f->object, f->name, *(const bool *)p);
            break;
        case SEED:
            t5_store_attr_int(store, f->object, f->name, (int64_t) * (const uint64_t *)p);
            break;
        case FLOAT:
            t5_store_attr_double(store, f->object, f->name, t5_as_written(*(const float *)p));
            break;
        case DOUBLE:
            t5_store_attr_double(store, f->object, f->name, *(const double *)p);
            break;
        case ENUM:
            t5_store_attr_text(store, f->object, f->name, f->words[*(const int *)p]);
            break;
        }
    }
}

static t5_status get_enum(t5_store_reader *r, const field *f, int *value, t5_error *err) {
    char *word = NULL;
    if (t5_store_get_text(r, f->object, f->name, &word, err) != T5_OK)
        return err->status;
    *value = -1;
    for (int i = 0; i < 4; i++)
        if (f->words[i] && strcmp(f->words[i], word) == 0)
            *value = i;
    if (*value < 0)
        t5_fail(err, T5_ERR_INPUT, "attribute %s of %s: %.40s is nothing that this version knows",
                f->name, f->object, word);
    free(word);
    return err->status;
}

static t5_status get_number(t5_store_reader *r, const field *f, void *p, t5_error *err) {
    int64_t i = 0;
    double d = 0;
    bool whole = f->kind == INT || f->kind == BOOL || f->kind == SEED;
    if (whole ? t5_store_get_int(r, f->object, f->name, &i, err) != T5_OK
              : t5_store_get_double(r, f->object, f->name, &d, err) != T5_OK)
        return err->status;
    if (f->kind == INT && (i < INT_MIN || i > INT_MAX))
        return t5_fail(err, T5_ERR_INPUT, "attribute %s of %s: %lld is out of range", f->name,
                       f->object, (long long)i);
    if (f->kind == INT)
        *(int *)p = (int)i;
    else if (f->kind == BOOL)
        *(bool *)p = i != 0;
    else if (f->kind == SEED)
        *(uint64_t *)p = (uint64_t)i;
    else if (f->kind == FLOAT)
        *(float *)p = (float)d;
    else
        *(double *)p = d;
    return T5_OK;
}

t5_status t5_saved_fields_get(t5_store_reader *reader, t5_saved_fields *to, t5_error *err) {
    memset(to, 0, sizeof *to);
    for (const field *f = fields; f < fields + N_FIELDS && err->status == T5_OK; f++) {
        void *p = (char *)to + f->offset;
        if (f->kind == ENUM)
            get_enum(reader, f, p, err);
        else
            get_number(reader, f, p, err);
    }
    return err->status;
}
