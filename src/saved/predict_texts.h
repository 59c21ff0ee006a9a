/* The texts that `t5mpi predict` answers: lines of a file or a stream, a batch of them at a time.
 */
#ifndef T5_SAVED_PREDICT_TEXTS_H
#define T5_SAVED_PREDICT_TEXTS_H
#include "data/batch.h"
#include "io/lines.h"
#include "saved/saved.h"

enum { T5_PREDICT_MAX_LINE = 1 << 20 }; /* bytes */

/* A text of the current batch. */
typedef struct t5_text {
    char *input; /* (input_bytes), if texts are kept; else NULL */
    size_t input_bytes;
    int place; /* in the batch; -1: the text is empty */
    bool cut;  /* to what the model takes */
} t5_text;

typedef struct t5_predict_texts {
    const t5_saved *saved;
    const char *name; /* for messages */
    bool keep;        /* texts are kept */
    int fd;
    t5_lines lines;
    bool at_end;
    int n, capacity; /* texts of the current batch, and most of them */
    t5_text *text;
    t5_batch batch; /* those that are not empty; row: the line's number, 0 first */
    int32_t *ids;   /* (max_input + 1) */
    int64_t n_read, n_cut;
} t5_predict_texts;

/* path NULL or "-": standard input. T5_ERR_INPUT: it cannot be opened, or is a folder. Freed by
 * t5_predict_texts_close, also after a failure. */
t5_status t5_predict_texts_open(const char *path, const t5_saved *saved, int capacity, bool keep,
                                t5_predict_texts *texts, t5_error *err);
void t5_predict_texts_close(t5_predict_texts *texts);

/* The next batch: waits for one text at least, takes those that have come. At the end of the input
 * at_end, and maybe no text. T5_STOPPED: the reader of out_fd went away meanwhile. After another
 * error (T5_ERR_INPUT names the line) the texts before it are there. */
t5_status t5_predict_texts_next(t5_predict_texts *texts, int out_fd, t5_error *err);

#endif
