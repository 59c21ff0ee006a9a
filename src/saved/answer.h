/* How an answer is written: as a line of text, or as a JSON object on a line. */
#ifndef T5_SAVED_ANSWER_H
#define T5_SAVED_ANSWER_H
#include "base/config.h"
#include <stdio.h>

typedef struct t5_answer {
    const char *input; /* (input_bytes), UTF-8; may hold anything but NUL and a line's end */
    size_t input_bytes;
    const char *output; /* "" if there is none */
    bool answered;      /* false: the text was empty, the model was not asked; score is nothing */
    float score;        /* t5_generate's */
    int tokens;         /* put out, the end token included */
    bool cut;           /* the model saw the beginning of the text only */
} t5_answer;

/* The output and a newline; a line's end within the output becomes a space, so that there are as
 * many lines as texts. Errors stay in `out` (ferror). */
void t5_answer_write_text(FILE *out, const char *output);
/* {"input", "output", "score" (null if not answered), "tokens", "cut", "settings"}; settings: JSON.
 * Bytes that are no UTF-8 become U+FFFD. */
void t5_answer_write_json(FILE *out, const t5_answer *answer, const char *settings);

/* The way of answering as a JSON object, malloc'd; NULL: out of memory. model: its name. */
char *t5_answer_settings(const char *model, const t5_decode_spec *decode, bool restricted);

#endif
