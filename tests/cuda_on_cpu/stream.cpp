/* Streams, events and graphs. A stream is a queue of operations, run at once, or with EMU_LAZY=1
 * only when somebody waits for them; a graph is such a queue, kept. */
#include "emu.h"
#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using emu::Op;
using emu::result;

struct CUgraph_st {
    std::vector<Op> ops;
    std::set<CUstream_st *> streams; /* that are in the capture */
    std::set<CUstream_st *> unjoined;
    CUstream_st *origin = nullptr;
    bool lost = false;
};
struct CUgraphExec_st {
    std::shared_ptr<std::vector<Op>> ops;
};
struct Progress {
    std::deque<Op> queue; /* what has not run yet */
    size_t done = 0;      /* how many have */
    size_t end() const { return done + queue.size(); }
};
struct CUstream_st {
    std::shared_ptr<Progress> progress = std::make_shared<Progress>();
    CUgraph_st *graph = nullptr; /* what it is being captured into */
};
struct CUevent_st {
    std::shared_ptr<Progress> progress;
    size_t position = 0;
    CUgraph_st *graph = nullptr;
    CUstream_st *stream = nullptr; /* where it was captured */
    bool timing = true;
    double time = 0;
};

static std::set<CUstream_st *> &streams = *new std::set<CUstream_st *>;
static CUstream_st &default_stream = *new CUstream_st;
static CUgraph_st *capturing;

static bool lazy() {
    return emu::setting("EMU_LAZY", 0) != 0;
}
static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

static void run_until(const std::shared_ptr<Progress> &p, size_t end) {
    while (p->done < end) {
        Op op = std::move(p->queue.front());
        p->queue.pop_front();
        p->done++;
        op();
    }
    if (p->queue.empty())
        emu::expose(false);
}
static CUstream_st *of(cudaStream_t s) {
    return s ? s : &default_stream;
}
static void drain_one(CUstream_st *s) {
    run_until(s->progress, s->progress->end());
}

namespace emu {
bool is_capturing() {
    return capturing != nullptr;
}
bool is_capturing(cudaStream_t s) {
    return of(s)->graph != nullptr;
}
cudaError_t lose_capture(cudaError_t e) {
    if (capturing)
        capturing->lost = true;
    return result(e);
}
void drain(cudaStream_t s) {
    drain_one(of(s));
}
void drain_all() {
    drain_one(&default_stream);
    for (auto s : streams)
        drain_one(s);
}
void submit(cudaStream_t stream, Op op) {
    /* The emulation has no locks; a GPU would not mind, but the project has one thread that talks
     * to it, and another one would be news. */
    static const std::thread::id only = std::this_thread::get_id();
    if (std::this_thread::get_id() != only)
        fail("a second host thread uses the device");
    CUstream_st *s = of(stream);
    if (s->graph) {
        s->graph->ops.push_back(std::move(op));
        if (s->graph->streams.size() > 1)
            s->graph->unjoined.insert(s);
        return;
    }
    s->progress->queue.push_back([op] {
        expose(true);
        op();
    });
    if (!lazy())
        drain(s);
}
} // namespace emu

extern "C" {
/* --- streams --- */

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int) {
    if (flags & ~(unsigned)cudaStreamNonBlocking)
        return result(cudaErrorInvalidValue);
    int d;
    if (cudaError_t e = cudaGetDevice(&d))
        return e;
    streams.insert(*s = new CUstream_st);
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags) {
    return cudaStreamCreateWithPriority(s, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t *s) {
    return cudaStreamCreateWithFlags(s, cudaStreamDefault);
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
    if (!streams.count(s))
        return result(cudaErrorInvalidValue);
    if (s->graph)
        return emu::lose_capture();
    emu::drain(s);
    streams.erase(s);
    delete s;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
    if (of(s)->graph)
        return emu::lose_capture();
    emu::drain(s);
    return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t s) {
    CUstream_st *x = of(s);
    if (x->graph)
        return emu::lose_capture();
    if (x->progress->queue.empty())
        return cudaSuccess;
    emu::drain(s); /* it is done when asked again */
    return cudaErrorNotReady;
}
cudaError_t cudaDeviceSynchronize(void) {
    if (capturing)
        return emu::lose_capture();
    emu::drain_all();
    return cudaSuccess;
}

/* --- events --- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
    if (flags & ~(unsigned)(cudaEventBlockingSync | cudaEventDisableTiming))
        return result(cudaErrorInvalidValue);
    *e = new CUevent_st;
    (*e)->timing = !(flags & cudaEventDisableTiming);
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *e) {
    return cudaEventCreateWithFlags(e, cudaEventDefault);
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
    if (e->progress)
        run_until(e->progress, e->position);
    delete e;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t st) {
    CUstream_st *s = of(st);
    e->graph = s->graph, e->stream = s;
    if (s->graph)
        return cudaSuccess; /* the recorded order keeps the dependence */
    emu::submit(st, [e] { e->time = now(); });
    e->progress = s->progress, e->position = s->progress->end();
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
    if (e->graph)
        return emu::lose_capture();
    if (e->progress)
        run_until(e->progress, e->position);
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t e) {
    if (e->graph)
        return emu::lose_capture();
    if (!e->progress || e->progress->done >= e->position)
        return cudaSuccess;
    run_until(e->progress, e->position);
    return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b) {
    if (!a->timing || !b->timing || !a->progress || !b->progress)
        return result(cudaErrorInvalidValue);
    if (a->progress->done < a->position || b->progress->done < b->position)
        return cudaErrorNotReady;
    *ms = (float)((b->time - a->time) * 1e3);
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t st, cudaEvent_t e, unsigned flags) {
    if (flags)
        return result(cudaErrorInvalidValue);
    CUstream_st *s = of(st);
    if (e->graph && e->graph == capturing) { /* forks the capture into s, or joins e's stream */
        s->graph = e->graph;
        s->graph->streams.insert(s);
        s->graph->unjoined.erase(e->stream);
        s->graph->unjoined.insert(s);
        return cudaSuccess;
    }
    if (s->graph)
        return emu::lose_capture(); /* on work outside the graph */
    auto p = e->progress;
    size_t end = e->position;
    if (p)
        emu::submit(st, [=] { run_until(p, end); });
    return cudaSuccess;
}

/* --- graphs --- */

cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode) {
    if (mode != cudaStreamCaptureModeGlobal && mode != cudaStreamCaptureModeThreadLocal &&
        mode != cudaStreamCaptureModeRelaxed)
        return result(cudaErrorInvalidValue);
    if (!s || capturing)
        return result(cudaErrorStreamCaptureUnsupported);
    s->graph = capturing = new CUgraph_st;
    capturing->origin = s;
    capturing->streams.insert(s);
    return cudaSuccess;
}
/* A stream that was forked must have been waited for, or the capture is lost. */
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g) {
    *g = nullptr;
    if (!s || !s->graph || s->graph->origin != s)
        return result(cudaErrorIllegalState);
    CUgraph_st *graph = s->graph;
    for (auto t : graph->streams)
        t->graph = nullptr;
    capturing = nullptr;
    graph->unjoined.erase(s);
    if (graph->lost) {
        delete graph;
        return result(cudaErrorStreamCaptureInvalidated);
    }
    if (!graph->unjoined.empty()) {
        delete graph;
        return result(cudaErrorStreamCaptureUnjoined);
    }
    *g = graph;
    return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t s, enum cudaStreamCaptureStatus *c) {
    *c = of(s)->graph ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
/* Only how many there are; a graph here is a sequence. */
cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes, size_t *n) {
    if (nodes)
        return result(cudaErrorNotSupported);
    *n = g->ops.size();
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long flags) {
    if (flags)
        return result(cudaErrorInvalidValue);
    *x = new CUgraphExec_st{std::make_shared<std::vector<Op>>(g->ops)};
    return cudaSuccess;
}
/* The real one compares kinds of nodes and edges, too: what is refused here is refused there. */
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t g,
                                cudaGraphExecUpdateResultInfo *r) {
    bool same = x->ops->size() == g->ops.size();
    *r = {};
    r->result = same ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateErrorTopologyChanged;
    if (!same)
        return result(cudaErrorGraphExecUpdateFailure);
    x->ops = std::make_shared<std::vector<Op>>(g->ops);
    return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) {
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s) {
    if (emu::is_capturing(s))
        return result(cudaErrorNotSupported); /* graphs within graphs */
    auto ops = x->ops;
    emu::submit(s, [ops] {
        for (auto &op : *ops)
            op();
    });
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t g) {
    delete g;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x) {
    delete x;
    return cudaSuccess;
}
}
