/* A shared library that is opened at its first use. Inside of src/cuda only. */
#ifndef T5_CUDA_SHARED_OBJECT_H
#define T5_CUDA_SHARED_OBJECT_H
#include <pthread.h>

typedef void t5_any_function(void);

typedef struct t5_shared_object {
    const char *name, *path; /* what the loader looks for; where the build found it, tried next */
    const char *const *symbols;
    int n_symbols;
    t5_any_function **functions; /* (n_symbols) filled when it is open, else NULL */
    char missing[512];           /* "" when all is there */
} t5_shared_object;

/* Opens it and looks up every symbol; once, the caller sees to that. */
void t5_shared_object_open(t5_shared_object *so);

#endif
