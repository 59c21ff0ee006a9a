/* What results.h5 says of a run as a whole (docs/results.md): everything but the trials' own files.
 * Plain values, filled from a configuration and its data, from a results.h5, or from those of an
 * array's parts. */
#ifndef T5_RESULTS_INDEX_H
#define T5_RESULTS_INDEX_H
#include "io/store_read.h"
#include "plan/part.h"
#include "plan/plan.h"
#include "setup/source.h"

enum { T5_INDEX_SCHEMA = 1 };

typedef struct t5_index {
    char *version, *config, *settings, *device; /* owned, as are the arrays below */
    int64_t ranks;
    char decide_by[32]; /* a name of t5_metric_names */
    int epochs;         /* of a trial, at most */
    t5_part part;       /* of which all trials in /trials are; count 0: all of the plan */
    int merged_of;      /* parts that a merged results.h5 is put together of; 0: it is not */
    bool *parts_here;   /* (merged_of) to be written; not read */
    t5_plan plan;       /* the whole one, also where only a part of it runs */
    char baseline_trial[sizeof((t5_plan_trial *)0)->name]; /* "": none */
    double baseline[T5_N_FIGURES], goals[T5_N_FIGURES];    /* NaN: none */
    int n_selections;
    t5_source_selection *selections; /* answers without a model */
    int64_t rows, occurrences, n_labels;
    uint64_t fingerprint; /* of rows, tokeniser and pre-trained model */
    uint64_t fingerprint_tokenizer, fingerprint_model; /* of these alone; 0: not known, or none */
    char **labels;                                     /* one block with the texts */
    int64_t *counts;
} t5_index;

/* Of a run that begins. T5_ERR_MEMORY. */
t5_status t5_index_fill(const t5_config *config, const t5_plan *whole, t5_part part,
                        const t5_source *source, uint64_t fingerprint, int ranks,
                        const char *device, t5_index *index, t5_error *err);
/* T5_ERR_INPUT naming what is not there, not readable, or of another schema. */
t5_status t5_index_read(t5_store_reader *reader, const char *path, t5_index *index, t5_error *err);
void t5_index_free(t5_index *index); /* also of an empty one */

/* Writes DIR/results.h5 with a link for every trial of the part (all, if it is of no part). */
t5_status t5_index_write(const char *dir, const t5_index *index, t5_error *err);

/* fingerprint_tokenizer or fingerprint_model of a results.h5; 0: an older t5mpi wrote it. */
uint64_t t5_index_part_fingerprint(t5_store_reader *reader, const char *name);

/* The first line in which the settings of two runs differ ("nothing": one ends there); false: in
 * none. */
bool t5_index_settings_differ(const char *a, const char *b, t5_str *of_a, t5_str *of_b);

/* NULL: the filter leaves no rows, or no trial with it was in this part. */
const t5_source_selection *t5_index_find(const t5_index *index, int top_n);

#endif
