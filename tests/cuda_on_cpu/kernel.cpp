/* Runs kernels: every thread of a block is a fiber, blocks follow each other. Barriers, and the
 * operations among the lanes of a warp, are where a fiber lets others run. */
#include "fiber.h"
#include "shared_memory.h"
#include "warp.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <unistd.h>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim(1), gridDim(1);

namespace emu {
enum State { READY, AT_BARRIER, AT_EXCHANGE, DONE };
struct Thread : Fiber {
    int index;
    uint3 tid;
    State state;
    Where where;
    unsigned mask; /* of the exchange that it takes part in */
    uint64_t value;
    int source;
    Exchange result;
};

#if defined(EMU_TSAN)
/* Neighbouring blocks run on different fibers, ordered only by the launch: so a race between
 * blocks is one between fibers, too. */
enum { TEAMS = 2 };
#else
enum { TEAMS = 1 };
#endif

static std::vector<Thread *> &pool = *new std::vector<Thread *>; /* lives until the process ends */
static Thread **team;                                            /* the threads of the block */
static Thread *current;
static const Op *body;
static int threads, live, waiting, votes;

/* Addresses for the race detector: of the team's warps, then of its block. */
struct Sync {
    char pending, done;
};
static Sync launch_sync, syncs[2][33], *team_sync = syncs[0];

static void describe(const Thread *t) {
    static const char *const names[] = {"is ready", "waits for the block", "waits for its warp",
                                        "has returned"};
    fprintf(stderr, "  thread (%u,%u,%u) %s", t->tid.x, t->tid.y, t->tid.z, names[t->state]);
    if (t->state == AT_BARRIER || t->state == AT_EXCHANGE)
        fprintf(stderr, " at %s:%d", t->where.file, t->where.line);
    if (t->state == AT_EXCHANGE)
        fprintf(stderr, " mask %08x", t->mask);
    fputc('\n', stderr);
}

void fail(const char *format, ...) {
    enum { MOST = 6 };
    va_list ap;
    va_start(ap, format);
    fputs("cuda on cpu: ", stderr);
    if (current)
        fprintf(stderr, "block (%u,%u,%u): ", blockIdx.x, blockIdx.y, blockIdx.z);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    /* one thread for each state in a row of equal ones */
    for (int i = 0, shown = 0; current && i < threads && shown < MOST; i++)
        if (i == 0 || team[i]->state != team[i - 1]->state ||
            team[i]->where.line != team[i - 1]->where.line)
            describe(team[i]), shown++;
    fflush(nullptr);
    _exit(99); /* nothing more is to run, no destructor either */
}

int lane() {
    return current->index & 31;
}

/* The last one to arrive goes on at once, the others when the scheduler comes round. */
int barrier(Where w, bool vote, int votes_of[2]) {
    Thread *self = current;
    self->where = w;
    if (live < threads)
        fail("__syncthreads at %s:%d after a thread of the block has returned", w.file, w.line);
    for (int i = 0; waiting && i < threads; i++)
        if (team[i]->state == AT_BARRIER) {
            if (team[i]->where.line != w.line) {
                self->state = AT_BARRIER;
                fail("threads wait at different __syncthreads");
            }
            break;
        }
    release(&team_sync[32].pending);
    if (waiting == 0)
        votes = 0;
    votes += vote;
    if (++waiting == live) {
        for (int i = 0; i < threads; i++) {
            team[i]->state = READY;
            team[i]->value = (uint64_t)votes;
        }
        waiting = 0;
        acquire(&team_sync[32].pending);
        release(&team_sync[32].done);
    } else {
        self->state = AT_BARRIER;
        fiber_yield(self);
        acquire(&team_sync[32].done);
    }
    if (votes_of)
        votes_of[0] = (int)self->value, votes_of[1] = threads;
    return (int)self->value;
}

/* Whether all lanes of the mask are here. Most often the one that was missing the last time still
 * is, or the next one: that is where the look begins. */
static bool all_here(const Thread *self, int first, int n) {
    static int missing;
    for (int i = 0, l = missing < n ? missing : 0; i < n; i++, l = l + 1 < n ? l + 1 : 0) {
        const Thread *other = team[first + l];
        if (!(self->mask >> l & 1))
            continue;
        if (other->state == DONE)
            fail("lane %d of mask %08x has returned, at %s:%d", l, self->mask, self->where.file,
                 self->where.line);
        if (other->state != AT_EXCHANGE || other->mask != self->mask ||
            other->where.line != self->where.line) {
            missing = l;
            return false; /* if for good, a deadlock, which the scheduler reports */
        }
    }
    return true;
}

Exchange exchange(unsigned mask, uint64_t value, int source, Where w, bool fence,
                  void (*together)(const uint64_t *)) {
    Thread *self = current;
    int first = self->index & ~31, n = std::min(32, threads - first);
    Sync *sync = &team_sync[first >> 5];
    if (n < 32 && mask == ~0u)
        mask = (1u << n) - 1; /* a last, partial warp */
    self->where = w, self->mask = mask, self->value = value, self->source = source;
    self->state = AT_EXCHANGE;
    if (!(mask >> lane() & 1))
        fail("a lane is not in its own mask %08x at %s:%d", mask, w.file, w.line);
    if (source < 0 || source > 31 || !(mask >> source & 1))
        fail("shuffle from lane %d outside mask %08x at %s:%d", source, mask, w.file, w.line);
    if (fence)
        release(&sync->pending);
    if (!all_here(self, first, n)) {
        fiber_yield(self);
        if (fence)
            acquire(&sync->done);
        return self->result;
    }
    if (fence)
        acquire(&sync->pending);
    unsigned ballot = 0;
    uint64_t values[32] = {};
    for (int l = 0; l < n; l++)
        if (mask >> l & 1) {
            values[l] = team[first + l]->value;
            ballot |= (unsigned)(values[l] != 0) << l;
        }
    if (together)
        together(values);
    for (int l = 0; l < n; l++)
        if (mask >> l & 1) {
            Thread *other = team[first + l];
            other->result = {values[other->source], ballot};
            other->state = READY;
        }
    if (fence)
        release(&sync->done);
    return self->result;
}

static void entry() {
    Thread *self = current;
    fiber_entered();
    for (;;) {
        acquire(&launch_sync.pending);
        (*body)();
        if (waiting) {
            self->state = DONE;
            fail("a thread returned while others wait for it");
        }
        self->state = DONE;
        live--;
        release(&launch_sync.done);
        fiber_yield(self);
    }
}

static void run_block(const std::vector<int> &order, size_t dynamic) {
    shared_renew(dynamic);
    live = threads, waiting = 0;
    for (int i = 0; i < threads; i++)
        team[i]->state = READY;
    while (live) {
        bool progress = false;
        for (int i : order)
            if (team[i]->state == READY) {
                current = team[i];
                threadIdx = current->tid;
                fiber_resume(current);
                progress = true;
            }
        if (!progress)
            fail("deadlock");
    }
    current = nullptr;
}

/* 0 to n-1 as EMU_ORDER says: forward, reverse, or a number that seeds a shuffle. */
static std::vector<int> order_of(int n) {
    std::vector<int> order((size_t)n);
    for (int i = 0; i < n; i++)
        order[(size_t)i] = i;
    const char *mode = getenv("EMU_ORDER");
    if (!mode || !strcmp(mode, "forward"))
        return order;
    char *end;
    unsigned long seed = strtoul(mode, &end, 10);
    if (!strcmp(mode, "reverse"))
        std::reverse(order.begin(), order.end());
    else if (*mode && !*end)
        std::shuffle(order.begin(), order.end(), std::mt19937((unsigned)seed));
    else
        fail("EMU_ORDER is \"%s\": it can be forward, reverse or a number", mode);
    return order;
}

static void prepare_threads(dim3 b) {
    fiber_scheduler_here();
    while ((int)pool.size() < TEAMS * threads) {
        Thread *t = (Thread *)calloc(1, sizeof *t);
        if (!t)
            fail("no memory for a thread");
        fiber_make(t, entry);
        pool.push_back(t);
    }
    for (unsigned i = 0; i < (unsigned)(TEAMS * threads); i++) {
        unsigned t = i % (unsigned)threads;
        pool[i]->index = (int)t;
        pool[i]->tid = {t % b.x, t / b.x % b.y, t / b.x / b.y};
    }
}

static void run_grid(dim3 g, dim3 b, size_t dynamic) {
    gridDim = g, blockDim = b, threads = (int)(b.x * b.y * b.z);
    prepare_threads(b);
    std::vector<int> thread_order = order_of(threads),
                     block_order = order_of((int)(g.x * g.y * g.z));
    shared_open(dynamic);
    release(&launch_sync.pending);
    int turn = 0;
    for (int block : block_order) {
        unsigned i = (unsigned)block;
        blockIdx = {i % g.x, i / g.x % g.y, i / g.x / g.y};
        team_sync = syncs[turn];
        team = pool.data() + turn * threads;
        turn = (turn + 1) % TEAMS;
        run_block(thread_order, dynamic);
    }
    acquire(&launch_sync.done);
    shared_close();
}

cudaError_t launch(const cudaLaunchConfig_t &c, const void *kernel, Op thread) {
    dim3 g = c.gridDim, b = c.blockDim;
    size_t dynamic = c.dynamicSmemBytes;
    if (!g.x || !g.y || !g.z || g.y > 65535 || g.z > 65535 || !b.x || !b.y || !b.z || b.x > 1024 ||
        b.y > 1024 || b.z > 64 || b.x * b.y * b.z > 1024 || g.x > 0x7fffffffu)
        return result(cudaErrorInvalidConfiguration);
    if (c.numAttrs)
        return result(cudaErrorNotSupported); /* clusters, priorities and the like */
    if (cudaError_t e = check_shared(kernel, dynamic))
        return e;
    submit(c.stream, [=] {
        body = &thread;
        run_grid(g, b, dynamic);
    });
    return cudaSuccess;
}
} // namespace emu
