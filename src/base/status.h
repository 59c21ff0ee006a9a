/* Status codes and error texts. Every fallible function of t5mpi returns a t5_status and, where it
 * takes a t5_error, leaves there one sentence for the user: what, where, what was expected.
 * The first failure wins: t5_fail on an error that already holds a text keeps the text. */
#ifndef T5_BASE_STATUS_H
#define T5_BASE_STATUS_H

typedef enum {
    T5_OK = 0,
    T5_ERR_INPUT,   /* command line, configuration or data are wrong: exit status 2 */
    T5_ERR_IO,      /* a file cannot be read or written, the disk is full */
    T5_ERR_MEMORY,  /* out of memory, host or device */
    T5_ERR_DEVICE,  /* oneDNN, CUDA, cuBLAS failed */
    T5_ERR_COMM,    /* MPI, NCCL failed */
    T5_ERR_NUMERIC, /* NaN or infinity in a loss or a gradient */
    T5_ERR_EMPTY,   /* nothing left to train on after the filter */
    T5_STOPPED,     /* stopped on purpose (a pruned speculative trial, a reader that went away) */
    T5_INTERRUPTED  /* a signal asked for it: exit status 75 */
} t5_status;

typedef struct t5_error {
    t5_status status;
    char text[1024]; /* UTF-8, no newline at the end; "" while status is T5_OK */
} t5_error;

/* Sets err (may be NULL) to status with a printf-formatted text and returns status, so that a
 * failing function can `return t5_fail(err, T5_ERR_IO, ...)`. A text longer than the buffer is cut
 * at a character boundary. */
t5_status t5_fail(t5_error *err, t5_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of an error's text: where it happened, added on the way up. Returns
 * err->status. */
t5_status t5_error_prefix(t5_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A short name of the status, e.g. "input", "out of memory". Never NULL. */
const char *t5_status_name(t5_status status);

#endif
