/* What cublaslt.c and nccl.c have in common. Before: FUNCTIONS(X), a list of X(type, name,
 * (parameters), (arguments)), and LIBRARY_NAME, LIBRARY_PATH, LIBRARY_FAILS (what a function of a
 * library that is not there returns).
 *
 * The variables here are the project's only ones that change and live as long as the process,
 * as what the loader has opened does; pthread_once orders their one change. */
#include "cuda/shared_object.h"

#define AS_NAME(type, name, parameters, arguments) #name,
static const char *const symbols[] = {FUNCTIONS(AS_NAME)};

#define AS_INDEX(type, name, parameters, arguments) INDEX_##name,
enum { FUNCTIONS(AS_INDEX) COUNT };

static t5_any_function *functions[COUNT];
static t5_shared_object library = {LIBRARY_NAME, LIBRARY_PATH, symbols, COUNT, functions, ""};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_library(void) {
    t5_shared_object_open(&library);
}

static const char *missing(void) {
    pthread_once(&once, open_library);
    return library.missing[0] ? library.missing : 0;
}

#define AS_FUNCTION(type, name, parameters, arguments)                            \
    type name parameters {                                                        \
        if (missing())                                                            \
            return LIBRARY_FAILS;                                                 \
        type(*function) parameters = (type(*) parameters)functions[INDEX_##name]; \
        return function arguments;                                                \
    }
FUNCTIONS(AS_FUNCTION)
