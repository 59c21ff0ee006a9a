/* CUDA graphs of pieces of a program that are run again and again. The first run of a piece is an
 * ordinary one: it chooses algorithms, loads kernels, and makes scratch memory big enough. The
 * second is recorded, and launched at once like all later ones. When the backend's own memory has
 * moved since (t5_cuda.generation), both happen again. A piece that cannot be recorded is run as it
 * is, for good. */
#include "device/cuda.h"
#include <stdlib.h>

struct t5_replay {
    bool warm;           /* has been run since ... */
    uint64_t generation; /* ... the backend's memory was this */
    bool never;          /* cannot be recorded */
    cudaGraphExec_t exec;
};

bool t5_cuda_spoils_capture(t5_cuda *cuda) {
    if (cuda->capturing)
        cuda->capture_spoilt = true;
    return cuda->capturing;
}

/* A launch may still be running. */
static void drop_graph(t5_cuda *cuda, t5_replay *r) {
    if (!r->exec)
        return;
    t5_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "waiting for a graph");
    (void)cudaGraphExecDestroy(r->exec);
    r->exec = NULL;
}

static void run_plainly(t5_cuda *cuda, t5_replay *r, void (*queue)(void *arg), void *arg) {
    drop_graph(cuda, r);
    queue(arg);
    r->warm = !t5_cuda_failed(cuda);
    r->generation = cuda->generation;
}

/* Records what queue queues; NULL if that is not possible. Nothing has run then. An error during
 * the recording may be one of recording only, so it is forgotten: an ordinary run will say what is
 * really wrong. Thread-local: other threads, such as NCCL's, may do what they like. */
static cudaGraph_t record(t5_cuda *cuda, void (*queue)(void *arg), void *arg) {
    cudaGraph_t graph = NULL;
    if (cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
        (void)cudaGetLastError();
        return NULL;
    }
    cuda->capturing = true;
    cuda->capture_spoilt = false;
    queue(arg);
    cuda->capturing = false;
    cudaError_t ended = cudaStreamEndCapture(cuda->stream, &graph);
    bool good = ended == cudaSuccess && !t5_cuda_failed(cuda) && !cuda->capture_spoilt;
    if (good)
        return graph;
    (void)cudaGetLastError();
    cuda->error = (t5_error){0};
    if (graph)
        (void)cudaGraphDestroy(graph);
    return NULL;
}

static bool keep(t5_cuda *cuda, t5_replay *r, void (*queue)(void *arg), void *arg) {
    cudaGraph_t graph = record(cuda, queue, arg);
    if (!graph)
        return false;
    cudaError_t made = cudaGraphInstantiate(&r->exec, graph, 0);
    (void)cudaGraphDestroy(graph);
    if (made != cudaSuccess) {
        (void)cudaGetLastError();
        r->exec = NULL;
        return false;
    }
    cuda->base.captures++;
    return true;
}

void t5_cuda_replay(t5_device *dev, t5_replay **replay, void (*queue)(void *arg), void *arg) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (t5_cuda_failed(cuda))
        return;
    if (!*replay)
        *replay = calloc(1, sizeof **replay);
    t5_replay *r = *replay;
    if (!r || r->never || cuda->capturing) { /* capturing: becomes a part of what is recorded */
        queue(arg);
        return;
    }
    if (!r->warm || r->generation != cuda->generation) {
        run_plainly(cuda, r, queue, arg);
        return;
    }
    if (!r->exec && !keep(cuda, r, queue, arg)) {
        r->never = true;
        dev->given_up++;
        queue(arg);
        return;
    }
    if (t5_cuda_check(cuda, cudaGraphLaunch(r->exec, cuda->stream), "a graph"))
        dev->launches++;
}

void t5_cuda_replay_free(t5_device *dev, t5_replay *r) {
    if (!r)
        return;
    drop_graph(t5_cuda_of(dev), r);
    free(r);
}
