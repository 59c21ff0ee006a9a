/* NCCL's all-reduce over MPI on host memory. Ranks that share an id find each other as with NCCL:
 * through whoever made it, here by messages of MPI_COMM_WORLD, with tags that nobody else uses. A
 * communicator of one rank needs no MPI at all. */
#include "emu.h"
#include <climits>
#include <cstring>
#include <cuda_bf16.h>
#include <memory>
#include <mpi.h>
#include <nccl.h>
#include <vector>

extern "C" const char *t5_nccl_missing(void) { /* src/cuda/libraries.h */
    return nullptr;
}

struct ncclComm {
    MPI_Comm comm; /* MPI_COMM_NULL: one rank */
    int rank, size;
    std::shared_ptr<bool> aborted = std::make_shared<bool>(false);
};
namespace {
enum { TAG_FIRST = 30000, TAGS = 1000 };
struct Id {
    char magic[8];
    int maker, number; /* rank in MPI_COMM_WORLD, how many ids it had made before */
};
static_assert(sizeof(Id) <= sizeof(ncclUniqueId), "id");
int depth, made;
std::vector<std::function<void()>> &group = *new std::vector<std::function<void()>>;

bool has_mpi() {
    int yes = 0;
    MPI_Initialized(&yes);
    return yes != 0;
}
int world_rank() {
    int r = 0;
    if (has_mpi())
        MPI_Comm_rank(MPI_COMM_WORLD, &r);
    return r;
}

/* World ranks of all n, by their rank in the new communicator. */
bool meet(const Id &id, int n, int rank, std::vector<int> &members) {
    int tag = TAG_FIRST + id.number % TAGS, me[2] = {rank, n};
    members.assign((size_t)n, -1);
    if (world_rank() != id.maker) {
        MPI_Send(me, 2, MPI_INT, id.maker, tag, MPI_COMM_WORLD);
        MPI_Recv(members.data(), n, MPI_INT, id.maker, tag + TAGS, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
        return members[0] >= 0;
    }
    bool good = true;
    members[(size_t)rank] = id.maker;
    std::vector<int> others;
    for (int i = 1; i < n; i++) {
        MPI_Status s;
        MPI_Recv(me, 2, MPI_INT, MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &s);
        others.push_back(s.MPI_SOURCE);
        if (me[1] != n || me[0] < 0 || me[0] >= n || members[(size_t)me[0]] >= 0)
            good = false;
        else
            members[(size_t)me[0]] = s.MPI_SOURCE;
    }
    if (!good)
        members.assign((size_t)n, -1);
    for (int o : others)
        MPI_Send(members.data(), n, MPI_INT, o, tag + TAGS, MPI_COMM_WORLD);
    return good;
}

MPI_Comm connect(const std::vector<int> &members, int number) {
    MPI_Group world, these;
    MPI_Comm comm;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, (int)members.size(), members.data(), &these);
    MPI_Comm_create_group(MPI_COMM_WORLD, these, TAG_FIRST + number % TAGS, &comm);
    MPI_Group_free(&these);
    MPI_Group_free(&world);
    return comm;
}

/* One sum under way. In float for bfloat16, as NCCL sums it at least. */
struct Sum {
    const void *in;
    void *out;
    size_t n;
    ncclDataType_t type;
    MPI_Comm comm;
    std::shared_ptr<bool> aborted;
    std::vector<float> x = {};
    MPI_Request request = MPI_REQUEST_NULL;
    bool started = false;

    void start() {
        started = true;
        x.resize(n);
        for (size_t i = 0; i < n; i++)
            x[i] = type == ncclFloat32 ? ((const float *)in)[i]
                                       : __bfloat162float(((const __nv_bfloat16 *)in)[i]);
        if (comm != MPI_COMM_NULL)
            MPI_Iallreduce(MPI_IN_PLACE, x.data(), (int)n, MPI_FLOAT, MPI_SUM, comm, &request);
    }
    void finish() {
        for (size_t i = 0; i < n; i++)
            if (type == ncclFloat32)
                ((float *)out)[i] = x[i];
            else
                ((__nv_bfloat16 *)out)[i] = __float2bfloat16(x[i]);
    }
    bool step() {
        int done = 1;
        if (*aborted) { /* what it would have read and written stays: MPI may still do so */
            if (request != MPI_REQUEST_NULL)
                new std::vector<float>(std::move(x));
            return true;
        }
        if (!started)
            start();
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done)
            finish();
        return done != 0;
    }
};
} // namespace

extern "C" {
const char *ncclGetErrorString(ncclResult_t r) {
    switch (r) {
    case ncclSuccess:
        return "no error";
    case ncclInvalidArgument:
        return "invalid argument";
    case ncclInvalidUsage:
        return "invalid usage";
    default:
        return "an error that the emulation has no text for";
    }
}
const char *ncclGetLastError(ncclComm_t) {
    return "";
}
ncclResult_t ncclGetVersion(int *v) {
    *v = NCCL_VERSION_CODE;
    return ncclSuccess;
}
ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
    Id x = {"EMUNCCL", world_rank(), made++};
    memset(id, 0, sizeof *id);
    memcpy(id, &x, sizeof x);
    return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t *c, int n, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
    *c = nullptr;
    if (config && (config->magic != 0xcafebeef || config->size != sizeof *config))
        return ncclInvalidArgument;
    Id x;
    memcpy(&x, &id, sizeof x);
    if (memcmp(x.magic, "EMUNCCL", sizeof x.magic) || n < 1 || rank < 0 || rank >= n)
        return ncclInvalidArgument; /* the id was not broadcast, for one */
    MPI_Comm comm = MPI_COMM_NULL;
    if (n > 1) {
        std::vector<int> members;
        if (!has_mpi() || !meet(x, n, rank, members))
            return ncclInvalidArgument;
        comm = connect(members, x.number);
    }
    *c = new ncclComm{comm, rank, n, std::make_shared<bool>(false)};
    return ncclSuccess;
}
ncclResult_t ncclCommInitRank(ncclComm_t *c, int n, ncclUniqueId id, int rank) {
    return ncclCommInitRankConfig(c, n, id, rank, nullptr);
}
ncclResult_t ncclCommFinalize(ncclComm_t) {
    return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t c) {
    if (!c)
        return ncclSuccess;
    emu::drain_all();
    if (c->comm != MPI_COMM_NULL)
        MPI_Comm_free(&c->comm);
    delete c;
    return ncclSuccess;
}
/* Without the others: what is queued stays undone, and the MPI communicator stays behind. */
ncclResult_t ncclCommAbort(ncclComm_t c) {
    if (c)
        *c->aborted = true;
    delete c;
    return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t *r) {
    *r = ncclSuccess;
    return c ? ncclSuccess : ncclInvalidArgument;
}
ncclResult_t ncclCommCount(const ncclComm_t c, int *n) {
    *n = c->size;
    return ncclSuccess;
}
ncclResult_t ncclCommUserRank(const ncclComm_t c, int *r) {
    *r = c->rank;
    return ncclSuccess;
}
ncclResult_t ncclGroupStart() {
    depth++;
    return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
    if (depth < 1)
        return ncclInvalidUsage;
    if (--depth)
        return ncclSuccess;
    std::vector<std::function<void()>> submissions;
    submissions.swap(group);
    for (auto &s : submissions)
        s();
    return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void *in, void *out, size_t n, ncclDataType_t t, ncclRedOp_t op,
                           ncclComm_t c, cudaStream_t s) {
    if (!c || op != ncclSum || (t != ncclFloat32 && t != ncclBfloat16) || n > INT_MAX)
        return ncclInvalidArgument;
    size_t bytes = n * (t == ncclFloat32 ? 4 : 2);
    if (!emu::is_device(in, bytes) || !emu::is_device(out, bytes))
        return ncclInvalidArgument;
    MPI_Comm comm = c->comm;
    auto aborted = c->aborted;
    auto reduce = [=] {
        emu::submit_steps(s, [=]() -> emu::Step {
            auto sum = std::make_shared<Sum>(Sum{in, out, n, t, comm, aborted});
            return [sum] { return sum->step(); };
        });
    };
    if (depth)
        group.push_back(reduce); /* until the outermost ncclGroupEnd */
    else
        reduce();
    return ncclSuccess;
}
}
