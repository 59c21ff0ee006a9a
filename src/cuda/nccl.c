#include "cuda/libraries.h"
#include <nccl.h>

/* nccl.h declares them as C++ does, which in C is no prototype. */
ncclResult_t ncclGroupStart(void);
ncclResult_t ncclGroupEnd(void);

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define LIBRARY_NAME "libnccl.so." TEXT(NCCL_MAJOR)
#define LIBRARY_PATH T5_NCCL_PATH
#define LIBRARY_FAILS ncclSystemError

#define FUNCTIONS(X)                                                                        \
    X(ncclResult_t, ncclGetUniqueId, (ncclUniqueId * id), (id))                             \
    X(ncclResult_t, ncclCommInitRankConfig,                                                 \
      (ncclComm_t * c, int n, ncclUniqueId id, int rank, ncclConfig_t *config),             \
      (c, n, id, rank, config))                                                             \
    X(ncclResult_t, ncclCommInitRank, (ncclComm_t * c, int n, ncclUniqueId id, int rank),   \
      (c, n, id, rank))                                                                     \
    X(ncclResult_t, ncclCommFinalize, (ncclComm_t c), (c))                                  \
    X(ncclResult_t, ncclCommDestroy, (ncclComm_t c), (c))                                   \
    X(ncclResult_t, ncclCommAbort, (ncclComm_t c), (c))                                     \
    X(ncclResult_t, ncclCommGetAsyncError, (ncclComm_t c, ncclResult_t * r), (c, r))        \
    X(ncclResult_t, ncclGroupStart, (void), ())                                             \
    X(ncclResult_t, ncclGroupEnd, (void), ())                                               \
    X(ncclResult_t, ncclAllReduce,                                                          \
      (const void *in, void *out, size_t n, ncclDataType_t t, ncclRedOp_t op, ncclComm_t c, \
       cudaStream_t s),                                                                     \
      (in, out, n, t, op, c, s))

#include "cuda/forward.h"

const char *t5_nccl_missing(void) {
    return missing();
}

/* Here and not there, so that it also says what keeps NCCL away. */
const char *ncclGetErrorString(ncclResult_t r) {
    switch (r) {
    case ncclSuccess:
        return "no error";
    case ncclUnhandledCudaError:
        return "unhandled CUDA error";
    case ncclSystemError:
        return missing() ? missing() : "unhandled system error";
    case ncclInternalError:
        return "internal error";
    case ncclInvalidArgument:
        return "invalid argument";
    case ncclInvalidUsage:
        return "invalid usage";
    case ncclRemoteError:
        return "a remote process has left, or a network error";
    case ncclInProgress:
        return "in progress";
    default:
        return "an error of NCCL's";
    }
}
