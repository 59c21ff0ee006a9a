#include "cuda/shared_object.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void t5_shared_object_open(t5_shared_object *so) {
    void *handle = dlopen(so->name, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        snprintf(so->missing, sizeof so->missing, "%s", why ? why : so->name);
        handle = dlopen(so->path, RTLD_NOW | RTLD_LOCAL);
    }
    if (!handle)
        return;
    so->missing[0] = '\0';
    for (int i = 0; i < so->n_symbols; i++) {
        void *symbol = dlsym(handle, so->symbols[i]);
        if (!symbol && !so->missing[0])
            snprintf(so->missing, sizeof so->missing, "%s has no function %s: another version?",
                     so->name, so->symbols[i]);
        /* A pointer to a function is no void * in C; POSIX says that it is one here. */
        memcpy(&so->functions[i], &symbol, sizeof symbol);
    }
    if (so->missing[0]) /* all or nothing */
        memset(so->functions, 0, (size_t)so->n_symbols * sizeof *so->functions);
}
