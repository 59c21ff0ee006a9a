/* Streams, events and graphs. A stream is a queue of operations, run at once, or with EMU_LAZY=1
 * only when somebody waits for them. A graph keeps such queues, one a stream, and with EMU_LAZY=1
 * runs what was forked only where it is joined.
 *
 * An operation that waits for another process (NCCL) is asked again and again whether it is done;
 * what comes behind it stays queued. Only who would wait on a GPU, too, waits here. */
#include "emu.h"
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using emu::MakeStep;
using emu::Op;
using emu::result;
using emu::Step;

/* What was captured of a stream: operations, and waits for other streams. */
struct Node {
    MakeStep make; /* NULL: wait for the first `end` nodes of a lane */
    size_t lane = 0, end = 0;
};
using Lane = std::vector<Node>;
struct CUgraph_st {
    std::vector<Lane> lanes;                      /* the origin's first */
    std::vector<std::pair<size_t, size_t>> order; /* lane and place, as captured */
    std::map<CUstream_st *, size_t> lane_of;      /* of the streams in the capture */
    std::map<CUstream_st *, size_t> joined;       /* how much of each is waited for */
    size_t operations = 0;                        /* without the waits */
    CUstream_st *origin = nullptr;
    bool lost = false;

    void enter(CUstream_st *s) {
        if (lane_of.emplace(s, lanes.size()).second)
            lanes.emplace_back();
    }
    size_t length(CUstream_st *s) const { return lanes[lane_of.at(s)].size(); }
    void add(CUstream_st *s, Node n) {
        size_t lane = lane_of.at(s);
        operations += n.make != nullptr;
        order.emplace_back(lane, lanes[lane].size());
        lanes[lane].push_back(std::move(n));
    }
    bool is_joined() const {
        for (auto &[s, lane] : lane_of)
            if (s != origin && (!joined.count(s) || joined.at(s) < lanes[lane].size()))
                return false;
        return true;
    }
};
struct CUgraphExec_st {
    std::shared_ptr<const CUgraph_st> graph;
};
struct Progress {
    std::deque<Step> queue; /* what has not run yet */
    size_t done = 0;        /* how many have */
    size_t end() const { return done + queue.size(); }
};
struct CUstream_st {
    std::shared_ptr<Progress> progress = std::make_shared<Progress>();
    CUgraph_st *graph = nullptr; /* what it is being captured into */
};
struct CUevent_st {
    std::shared_ptr<Progress> progress;
    size_t position = 0; /* in the stream's queue, or in its lane of the graph */
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

/* As far as it goes without waiting; whether that is the end. */
static bool try_until(const std::shared_ptr<Progress> &p, size_t end) {
    bool done = true;
    while (done && p->done < end) {
        done = p->queue.front()();
        if (done) {
            p->queue.pop_front();
            p->done++;
        }
    }
    if (!done || p->queue.empty())
        emu::expose(false);
    return done;
}
static void run_until(const std::shared_ptr<Progress> &p, size_t end) {
    while (!try_until(p, end))
        std::this_thread::sleep_for(std::chrono::microseconds(50));
}
static CUstream_st *of(cudaStream_t s) {
    return s ? s : &default_stream;
}
static void drain_one(CUstream_st *s) {
    run_until(s->progress, s->progress->end());
}

/* One launch of a graph. */
namespace {
struct Launch {
    std::shared_ptr<const CUgraph_st> graph;
    std::vector<size_t> at; /* of each lane */
    std::vector<Step> running;

    explicit Launch(std::shared_ptr<const CUgraph_st> g)
        : graph(std::move(g)), at(graph->lanes.size()), running(graph->lanes.size()) {}
    bool until(size_t lane, size_t end) {
        for (; at[lane] < end; at[lane]++) {
            const Node &n = graph->lanes[lane][at[lane]];
            Step &step = running[lane];
            if (n.make && !step)
                step = n.make();
            if (n.make ? !step() : !until(n.lane, n.end))
                return false;
            step = nullptr;
        }
        return true;
    }
    bool run() {
        bool done = true;
        if (lazy())
            done = until(0, graph->lanes[0].size());
        else
            for (auto &[lane, place] : graph->order)
                done &= until(lane, place + 1);
        return done;
    }
};
} // namespace

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
    submit_steps(stream, [op]() -> Step {
        return [op] {
            op();
            return true;
        };
    });
}
void submit_steps(cudaStream_t stream, MakeStep make) {
    /* The emulation has no locks; a GPU would not mind, but the project has one thread that talks
     * to it, and another one would be news. */
    static const std::thread::id only = std::this_thread::get_id();
    if (std::this_thread::get_id() != only)
        fail("a second host thread uses the device");
    CUstream_st *s = of(stream);
    if (s->graph) {
        s->graph->add(s, Node{std::move(make)});
        return;
    }
    s->progress->queue.push_back([step = make()] {
        expose(true);
        return step();
    });
    if (!lazy())
        try_until(s->progress, s->progress->end());
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
    try_until(x->progress, x->progress->end()); /* perhaps it is done when asked again */
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
    if (s->graph) {
        e->position = s->graph->length(s);
        return cudaSuccess;
    }
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
    try_until(e->progress, e->position);
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
        CUgraph_st *g = s->graph = e->graph;
        g->enter(s);
        g->joined[e->stream] = std::max(g->joined[e->stream], e->position);
        g->add(s, Node{nullptr, g->lane_of.at(e->stream), e->position});
        return cudaSuccess;
    }
    if (s->graph)
        return emu::lose_capture(); /* on work outside the graph */
    auto p = e->progress;
    size_t end = e->position;
    if (p)
        emu::submit_steps(st, [=] { return [=] { return try_until(p, end); }; });
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
    capturing->enter(s);
    return cudaSuccess;
}
/* A stream that was forked must have been waited for, or the capture is lost. */
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g) {
    *g = nullptr;
    if (!s || !s->graph || s->graph->origin != s)
        return result(cudaErrorIllegalState);
    CUgraph_st *graph = s->graph;
    for (auto &stream : graph->lane_of)
        stream.first->graph = nullptr;
    capturing = nullptr;
    if (graph->lost) {
        delete graph;
        return result(cudaErrorStreamCaptureInvalidated);
    }
    if (!graph->is_joined()) {
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
/* Only how many there are. */
cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes, size_t *n) {
    if (nodes)
        return result(cudaErrorNotSupported);
    *n = g->operations;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long flags) {
    if (flags & ~(unsigned long long)cudaGraphInstantiateFlagUseNodePriority)
        return result(cudaErrorInvalidValue);
    *x = new CUgraphExec_st{std::make_shared<const CUgraph_st>(*g)};
    return cudaSuccess;
}
/* The real one compares kinds of nodes and edges, too: what is refused here is refused there. */
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t g,
                                cudaGraphExecUpdateResultInfo *r) {
    bool same = x->graph->operations == g->operations;
    *r = {};
    r->result = same ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateErrorTopologyChanged;
    if (!same)
        return result(cudaErrorGraphExecUpdateFailure);
    x->graph = std::make_shared<const CUgraph_st>(*g);
    return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) {
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s) {
    if (emu::is_capturing(s))
        return result(cudaErrorNotSupported); /* graphs within graphs */
    auto graph = x->graph;
    emu::submit_steps(s, [graph]() -> Step {
        auto launch = std::make_shared<Launch>(graph);
        return [launch] { return launch->run(); };
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
