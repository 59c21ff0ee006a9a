/* Which devices there are, what they can do, and errors. Of the environment: EMU_DEVICES (1; 0 is a
 * machine without a GPU), EMU_CAPABILITY (90: 9.0), so that what depends on them can be tested. All
 * devices share one memory. */
#include "emu.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

static cudaError_t last = cudaSuccess;
static int chosen; /* device */

namespace emu {
cudaError_t result(cudaError_t e) {
    if (e)
        last = e;
    return e;
}

long setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    if (!text)
        return otherwise;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (!*text || *end || errno || value < 0)
        fail("%s is \"%s\": not a number", name, text);
    return value;
}

static std::map<const void *, int> &shared_limit() {
    static auto &m = *new std::map<const void *, int>;
    return m;
}

cudaError_t check_shared(const void *kernel, size_t bytes) {
    auto i = shared_limit().find(kernel);
    size_t most = i == shared_limit().end() ? (size_t)SHARED_DEFAULT : (size_t)i->second;
    return bytes > most ? result(cudaErrorInvalidValue) : cudaSuccess;
}
} // namespace emu

using emu::result;

static int devices() {
    return (int)emu::setting("EMU_DEVICES", 1);
}
static int capability() {
    return (int)emu::setting("EMU_CAPABILITY", 90);
}
static int shared_optin() { /* Turing's, Ampere's and Ada's small ones, A100's, Hopper's */
    int c = capability();
    return (c < 80 ? 64 : c == 80 ? 163 : c < 90 ? 99 : emu::SHARED_MAX / 1024) * 1024;
}
static cudaError_t check_device(int d) {
    if (devices() == 0)
        return result(cudaErrorNoDevice);
    return d < 0 || d >= devices() ? result(cudaErrorInvalidDevice) : cudaSuccess;
}

extern "C" {
cudaError_t cudaGetLastError(void) {
    cudaError_t e = last;
    last = cudaSuccess;
    return e;
}
cudaError_t cudaPeekAtLastError(void) {
    return last;
}

#define EMU_ERRORS(X)                                                                        \
    X(cudaSuccess, "no error")                                                               \
    X(cudaErrorInvalidValue, "invalid argument")                                             \
    X(cudaErrorMemoryAllocation, "out of memory")                                            \
    X(cudaErrorInvalidConfiguration, "invalid configuration argument")                       \
    X(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy")                  \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected")                               \
    X(cudaErrorInvalidDevice, "invalid device ordinal")                                      \
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state")       \
    X(cudaErrorNotReady, "device not ready")                                                 \
    X(cudaErrorNotSupported, "operation not supported")                                      \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing") \
    X(cudaErrorStreamCaptureImplicit,                                                        \
      "operation would make the legacy stream depend on a capturing blocking stream")        \
    X(cudaErrorStreamCaptureInvalidated,                                                     \
      "operation failed due to a previous error during capture")                             \
    X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work")                  \
    X(cudaErrorGraphExecUpdateFailure, "the graph update was not performed")

const char *cudaGetErrorString(cudaError_t e) {
    switch (e) {
#define EMU_TEXT(code, text) \
    case code:               \
        return text;
        EMU_ERRORS(EMU_TEXT)
    default:
        return "an error that the emulation has no text for";
    }
}
const char *cudaGetErrorName(cudaError_t e) {
    switch (e) {
#define EMU_NAME(code, text) \
    case code:               \
        return #code;
        EMU_ERRORS(EMU_NAME)
    default:
        return "unrecognized error code";
    }
}

cudaError_t cudaRuntimeGetVersion(int *v) {
    *v = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *v) {
    *v = devices() ? CUDART_VERSION : 0;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *n) {
    *n = devices();
    return *n ? cudaSuccess : result(cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int d) {
    cudaError_t e = check_device(d);
    if (!e)
        chosen = d;
    return e;
}
cudaError_t cudaGetDevice(int *d) {
    *d = chosen;
    return check_device(chosen);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int d) {
    if (cudaError_t e = check_device(d))
        return e;
    size_t free_bytes;
    memset(p, 0, sizeof *p);
    strcpy(p->name, "CUDA on CPU");
    cudaMemGetInfo(&free_bytes, &p->totalGlobalMem);
    p->sharedMemPerBlock = emu::SHARED_DEFAULT, p->sharedMemPerBlockOptin = (size_t)shared_optin();
    p->warpSize = 32, p->maxThreadsPerBlock = 1024, p->multiProcessorCount = 4;
    p->major = capability() / 10, p->minor = capability() % 10;
    p->maxGridSize[0] = 0x7fffffff, p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024, p->maxThreadsDim[2] = 64;
    p->pciBusID = 1 + d;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *v, enum cudaDeviceAttr a, int d) {
    if (cudaError_t e = check_device(d))
        return e;
    switch (a) {
    case cudaDevAttrMultiProcessorCount:
        *v = 4;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *v = capability() / 10;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *v = capability() % 10;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *v = emu::SHARED_DEFAULT;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *v = shared_optin();
        return cudaSuccess;
    case cudaDevAttrMaxThreadsPerBlock:
        *v = 1024;
        return cudaSuccess;
    case cudaDevAttrWarpSize:
        *v = 32;
        return cudaSuccess;
    case cudaDevAttrMemoryPoolsSupported:
        *v = 1;
        return cudaSuccess;
    default:
        return result(cudaErrorInvalidValue);
    }
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int n, int d) {
    if (cudaError_t e = check_device(d))
        return e;
    if (n < 13)
        return result(cudaErrorInvalidValue);
    strcpy(text, "0000:00:00.0");
    text[6] = (char)('1' + d % 9);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    *least = 0, *greatest = -5;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute a, int v) {
    switch (a) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
        if (v < 0 || v > shared_optin())
            return result(cudaErrorInvalidValue);
        emu::shared_limit()[kernel] = v;
        return cudaSuccess;
    case cudaFuncAttributePreferredSharedMemoryCarveout:
        return v < -1 || v > 100 ? result(cudaErrorInvalidValue) : cudaSuccess;
    default:
        return result(cudaErrorInvalidValue);
    }
}
}
