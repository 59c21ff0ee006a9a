/* A pre-trained model as rank 0 sees it: a Hugging Face directory whose configuration and tensors
 * are what the model of src/model computes with. */
#ifndef T5_SETUP_PRETRAINED_H
#define T5_SETUP_PRETRAINED_H
#include "io/hf_config.h"
#include "model/model.h"

typedef struct t5_pretrained t5_pretrained;

/* Opens a directory (config.json and the weights; the tokeniser is read elsewhere) and checks that
 * every parameter is there with its shape and nothing else is. Of values only copies of the
 * embedding are read: they must be equal where config.json ties them. T5_ERR_INPUT naming the file,
 * field or tensor. Not collective. */
t5_status t5_pretrained_open(const char *directory, t5_pretrained **pretrained, t5_error *err);
void t5_pretrained_close(t5_pretrained *p); /* NULL is fine */

/* vocab: rows of the embedding as they are in the files. */
const t5_shape *t5_pretrained_shape(const t5_pretrained *p);

t5_hf_family t5_pretrained_family(const t5_pretrained *p);

/* Elements [first, first + n) of the parameter of that name (t5_param). Several threads may call.
 * T5_ERR_INPUT: there is no such parameter or range; T5_ERR_IO. */
t5_status t5_pretrained_read(t5_pretrained *p, const char *name, int64_t first, int64_t n,
                             float *out, t5_error *err);

/* A number (XXH3) for the model: another one for other tensors, shapes, or values among the first
 * of each tensor, where two trained models differ; the same for the same model in other files.
 * Reads a few KiB of each. T5_ERR_IO. */
t5_status t5_pretrained_fingerprint(t5_pretrained *p, uint64_t *fingerprint, t5_error *err);

#endif
