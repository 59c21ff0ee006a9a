/* What `t5mpi predict` is asked for, and how it changes the way a model answers. */
#ifndef T5_SAVED_PREDICT_OPTIONS_H
#define T5_SAVED_PREDICT_OPTIONS_H
#include "setup/devices.h"

/* Without an option its field is as in t5_predict_defaults. */
typedef struct t5_predict_options {
    const char *model;         /* what t5_saved_open takes */
    const char *file;          /* a text a line; NULL or "-": standard input */
    bool sample;               /* --sample */
    int beams;                 /* 0: as the model's; 1: greedy */
    int top_k;                 /* -1: as the model's; 0: off */
    double top_p, temperature; /* 0: as the model's */
    double repetition_penalty; /* 0: as the model's */
    int64_t seed;              /* -1: as the model's */
    int max_length;            /* 0: as the model's */
    int batch_size;            /* texts answered together at most */
    int threads;               /* 0: the cores that the process may use */
    t5_use device;
    bool jsonl;
} t5_predict_options;

extern const t5_predict_options t5_predict_defaults;

/* The options that have a number: "--beams" and so on; NULL behind the last. */
const char *t5_predict_option_name(int i);
/* Reads the value of option i. T5_ERR_INPUT: names the option and what is allowed. */
t5_status t5_predict_option_set(t5_predict_options *options, int i, const char *value,
                                t5_error *err);

/* The model's way of answering, as the options change it. T5_ERR_INPUT: options that exclude each
 * other, or that have no effect on what is asked for; says what to do. */
t5_status t5_predict_decode(const t5_predict_options *options, const t5_decode_spec *model,
                            t5_decode_spec *decode, t5_error *err);

#endif
