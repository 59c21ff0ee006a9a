/* cublasLtMatmul in plain loops, on the real descriptors. What is not here is refused: products of
 * float32 or bfloat16 matrices, float32 sums (or TF32's inputs), no epilogue, no batches. */
#include "emu.h"
#include <cmath>
#include <cstring>
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <vector>

extern "C" const char *t5_cublaslt_missing(void) { /* src/cuda/libraries.h */
    return nullptr;
}

namespace {
struct Layout {
    cudaDataType type;
    int order;
    uint64_t rows, cols;
    int64_t ld;
};
struct Desc {
    int compute, scale, ta, tb, epilogue;
};
struct Preference {
    uint64_t workspace;
    uint32_t reductions; /* how the parts of a divided sum may be added; ours is never divided */
    uint32_t align[4];   /* of A, B, C, D in bytes */
};
constexpr uint32_t MAGIC = 0x656d7541;
/* An algorithm: it fits what the heuristic was asked for, and nothing else. A hash instead of all
 * of that, since the real structure has 64 bytes. */
struct Stamped {
    uint32_t magic;
    uint32_t align[4];
    uint64_t workspace, hash;
};
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "opaque");
static_assert(sizeof(Desc) <= sizeof(cublasLtMatmulDescOpaque_t), "opaque");
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t), "opaque");
static_assert(sizeof(Stamped) <= sizeof(cublasLtMatmulAlgo_t), "opaque");

template <class T, class O> T get(const O *o) {
    T t;
    memcpy(&t, o, sizeof t);
    return t;
}
template <class T, class O> void put(O *o, const T &t) {
    memcpy(o, &t, sizeof t);
}

uint64_t mix(uint64_t h, uint64_t v) {
    return (h ^ v) * 0x9e3779b97f4a7c15u ^ (h >> 29);
}
uint64_t hash(const Desc &m, const Layout *const l[4]) {
    uint64_t h = 1;
    for (int v : {m.compute, m.scale, m.ta, m.tb, m.epilogue})
        h = mix(h, (uint64_t)v);
    for (int i = 0; i < 4; i++)
        for (uint64_t v : {(uint64_t)l[i]->type, (uint64_t)l[i]->order, l[i]->rows, l[i]->cols,
                           (uint64_t)l[i]->ld})
            h = mix(h, v);
    return h;
}

struct Attribute {
    int name;
    size_t offset, size;
};
template <class T, class O, size_t N>
cublasStatus_t set(O *o, const Attribute (&table)[N], int name, const void *v, size_t n) {
    T t = get<T>(o);
    for (auto &a : table)
        if (a.name == name && a.size == n) {
            memcpy((char *)&t + a.offset, v, n);
            put(o, t);
            return CUBLAS_STATUS_SUCCESS;
        }
    return CUBLAS_STATUS_INVALID_VALUE;
}

size_t width(cudaDataType t) {
    return t == CUDA_R_32F ? 4 : 2;
}
int64_t at(const Layout &l, int64_t i, int64_t j) {
    return l.order == CUBLASLT_ORDER_COL ? i + j * l.ld : i * l.ld + j;
}
size_t bytes(const Layout &l) {
    return (size_t)(at(l, (int64_t)l.rows - 1, (int64_t)l.cols - 1) + 1) * width(l.type);
}
float load(const void *p, cudaDataType t, int64_t i) {
    return t == CUDA_R_32F ? ((const float *)p)[i]
                           : __bfloat162float(((const __nv_bfloat16 *)p)[i]);
}
void store(void *p, cudaDataType t, int64_t i, float v) {
    if (t == CUDA_R_32F)
        ((float *)p)[i] = v;
    else
        ((__nv_bfloat16 *)p)[i] = __float2bfloat16(v);
}
/* To TF32's 10 bits of mantissa, to nearest even. */
float tf32(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7f800000u) != 0x7f800000u)
        u = (u + 0xfffu + (u >> 13 & 1u)) & ~0x1fffu;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Whether the library would take this product; the same for the heuristic and the product. */
cublasStatus_t check(const Desc &m, const Layout *const l[4]) {
    const Layout &a = *l[0], &b = *l[1], &c = *l[2], &d = *l[3];
    if (m.ta != CUBLAS_OP_N && m.ta != CUBLAS_OP_T)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (m.tb != CUBLAS_OP_N && m.tb != CUBLAS_OP_T)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (m.epilogue != CUBLASLT_EPILOGUE_DEFAULT)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    for (int i = 0; i < 4; i++) {
        const Layout &x = *l[i];
        if (x.type != CUDA_R_32F && x.type != CUDA_R_16BF)
            return CUBLAS_STATUS_NOT_SUPPORTED;
        if (x.order != CUBLASLT_ORDER_COL && x.order != CUBLASLT_ORDER_ROW)
            return CUBLAS_STATUS_NOT_SUPPORTED;
        if (!x.rows || !x.cols || x.ld < (int64_t)(x.order == CUBLASLT_ORDER_COL ? x.rows : x.cols))
            return CUBLAS_STATUS_INVALID_VALUE;
    }
    uint64_t M = m.ta ? a.cols : a.rows, K = m.ta ? a.rows : a.cols, N = m.tb ? b.rows : b.cols;
    if ((m.tb ? b.cols : b.rows) != K || d.rows != M || d.cols != N || c.rows != M || c.cols != N)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (a.type != b.type || c.type != d.type || (a.type == CUDA_R_32F && d.type != CUDA_R_32F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (m.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a.type != CUDA_R_32F)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

/* op(A) with its rows, or op(B) with its columns, one after the other in memory: K to a piece. */
std::vector<float> pack(const void *p, const Layout &l, bool k_is_rows, bool rounded) {
    int64_t K = (int64_t)(k_is_rows ? l.rows : l.cols), n = (int64_t)(k_is_rows ? l.cols : l.rows);
    std::vector<float> x((size_t)(n * K));
    float *out = x.data();
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < K; k++) {
            float v = load(p, l.type, k_is_rows ? at(l, k, i) : at(l, i, k));
            *out++ = rounded ? tf32(v) : v;
        }
    return x;
}

/* Eight partial sums: as the GPU, and unlike one long sum, their error grows slowly with K. */
float dot(const float *a, const float *b, int64_t K) {
    float s[8] = {};
    int64_t k = 0;
    for (; k + 8 <= K; k += 8)
        for (int i = 0; i < 8; i++)
            s[i] += a[k + i] * b[k + i];
    for (; k < K; k++)
        s[k % 8] += a[k] * b[k];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

bool overlap(const void *p, size_t n, const void *q, size_t m) {
    return (const char *)p < (const char *)q + m && (const char *)q < (const char *)p + n;
}

void check_memory(const void *const p[4], const Layout *const l[4], bool with_c,
                  const uint32_t align[4]) {
    static const char names[] = "ABCD";
    for (int i = 0; i < 4; i++) {
        if (i == 2 && !with_c)
            continue;
        if (!p[i] || !emu::is_device(p[i], bytes(*l[i])))
            emu::fail("cublasLtMatmul: %c is not within device memory", names[i]);
        if ((uintptr_t)p[i] % width(l[i]->type) || (align && (uintptr_t)p[i] % align[i]))
            emu::fail("cublasLtMatmul: %c is less aligned than the heuristic was told", names[i]);
    }
    for (int i = 0; i < 2; i++)
        if (overlap(p[3], bytes(*l[3]), p[i], bytes(*l[i])))
            emu::fail("cublasLtMatmul: D overlaps %c", names[i]);
    if (with_c && p[2] != p[3] && overlap(p[3], bytes(*l[3]), p[2], bytes(*l[2])))
        emu::fail("cublasLtMatmul: D overlaps C");
}
} // namespace

extern "C" {
size_t cublasLtGetVersion(void) {
    return CUBLAS_VERSION;
}
const char *cublasLtGetStatusString(cublasStatus_t s) {
    switch (s) {
    case CUBLAS_STATUS_SUCCESS:
        return "success";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "an invalid value";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "not supported";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "not initialized";
    default:
        return "a status that the emulation has no text for";
    }
}
const char *cublasLtGetStatusName(cublasStatus_t s) {
    return cublasLtGetStatusString(s);
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t *h) {
    int d;
    *h = nullptr;
    if (cudaGetDevice(&d) != cudaSuccess)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    *h = (cublasLtHandle_t) new int(d);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t h) {
    delete (int *)h;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t c,
                                        cudaDataType_t s) {
    *d = nullptr;
    if ((c != CUBLAS_COMPUTE_32F && c != CUBLAS_COMPUTE_32F_FAST_TF32) || s != CUDA_R_32F)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    *d = new cublasLtMatmulDescOpaque_t{};
    put(*d, Desc{c, s, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) {
    delete d;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d,
                                              cublasLtMatmulDescAttributes_t a, const void *v,
                                              size_t n) {
    static const Attribute table[] = {{CUBLASLT_MATMUL_DESC_TRANSA, offsetof(Desc, ta), 4},
                                      {CUBLASLT_MATMUL_DESC_TRANSB, offsetof(Desc, tb), 4},
                                      {CUBLASLT_MATMUL_DESC_EPILOGUE, offsetof(Desc, epilogue), 4}};
    return set<Desc>(d, table, a, v, n);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType t, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
    *l = new cublasLtMatrixLayoutOpaque_t{};
    put(*l, Layout{t, CUBLASLT_ORDER_COL, rows, cols, ld});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) {
    delete l;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l,
                                                cublasLtMatrixLayoutAttribute_t a, const void *v,
                                                size_t n) {
    static const Attribute table[] = {{CUBLASLT_MATRIX_LAYOUT_TYPE, offsetof(Layout, type), 4},
                                      {CUBLASLT_MATRIX_LAYOUT_ORDER, offsetof(Layout, order), 4},
                                      {CUBLASLT_MATRIX_LAYOUT_LD, offsetof(Layout, ld), 8},
                                      {CUBLASLT_MATRIX_LAYOUT_ROWS, offsetof(Layout, rows), 8},
                                      {CUBLASLT_MATRIX_LAYOUT_COLS, offsetof(Layout, cols), 8}};
    return set<Layout>(l, table, a, v, n);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p) {
    *p = new cublasLtMatmulPreferenceOpaque_t{};
    put(*p, Preference{0,
                       CUBLASLT_REDUCTION_SCHEME_MASK,
                       {256, 256, 256, 256}}); /* the library's defaults */
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
    delete p;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t a,
                                                    const void *v, size_t n) {
    static const Attribute table[] = {
        {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, offsetof(Preference, workspace), 8},
        {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, offsetof(Preference, reductions), 4},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, offsetof(Preference, align[0]), 4},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, offsetof(Preference, align[1]), 4},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, offsetof(Preference, align[2]), 4},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, offsetof(Preference, align[3]), 4}};
    return set<Preference>(p, table, a, v, n);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t Al, cublasLtMatrixLayout_t Bl,
                                              cublasLtMatrixLayout_t Cl, cublasLtMatrixLayout_t Dl,
                                              cublasLtMatmulPreference_t preference, int n,
                                              cublasLtMatmulHeuristicResult_t r[], int *found) {
    const Desc m = get<Desc>(desc);
    const Layout a = get<Layout>(Al), b = get<Layout>(Bl), c = get<Layout>(Cl), d = get<Layout>(Dl);
    const Layout *const all[4] = {&a, &b, &c, &d};
    *found = 0;
    if (!h || n < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (cublasStatus_t s = check(m, all))
        return s;
    const Preference p = get<Preference>(preference);
    if (p.reductions & ~(uint32_t)CUBLASLT_REDUCTION_SCHEME_MASK)
        return CUBLAS_STATUS_INVALID_VALUE;
    for (uint32_t align : p.align)
        if (!align || align & (align - 1))
            return CUBLAS_STATUS_INVALID_VALUE;
    Stamped stamp = {MAGIC, {p.align[0], p.align[1], p.align[2], p.align[3]}, 0, hash(m, all)};
    stamp.workspace = p.workspace < 1024 ? 0 : 1024;
    memset(&r[0], 0, sizeof r[0]);
    put(&r[0].algo, stamp);
    r[0].workspaceSize = stamp.workspace;
    r[0].state = CUBLAS_STATUS_SUCCESS;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t desc, const void *alpha_,
                              const void *A, cublasLtMatrixLayout_t Al, const void *B,
                              cublasLtMatrixLayout_t Bl, const void *beta_, const void *C,
                              cublasLtMatrixLayout_t Cl, void *D, cublasLtMatrixLayout_t Dl,
                              const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
    if (!h || !alpha_ || !beta_)
        return CUBLAS_STATUS_INVALID_VALUE;
    const Desc m = get<Desc>(desc);
    const Layout a = get<Layout>(Al), b = get<Layout>(Bl), c = get<Layout>(Cl), d = get<Layout>(Dl);
    const Layout *const all[4] = {&a, &b, &c, &d};
    const void *const memory[4] = {A, B, C, D};
    if (cublasStatus_t s = check(m, all))
        return s;
    const float alpha = *(const float *)alpha_, beta = *(const float *)beta_;
    Stamped stamp = {};
    if (algo) {
        stamp = get<Stamped>(algo);
        if (stamp.magic != MAGIC || stamp.hash != hash(m, all) || workspace_bytes < stamp.workspace)
            return CUBLAS_STATUS_INVALID_VALUE;
        if (stamp.workspace &&
            (!emu::is_device(workspace, workspace_bytes) || (uintptr_t)workspace % 16))
            emu::fail("cublasLtMatmul: the workspace is not within device memory, or not aligned");
    }
    check_memory(memory, all, beta != 0.0f, algo ? stamp.align : nullptr);
    emu::submit(stream, [=] {
        bool rounded = m.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
        std::vector<float> x = pack(A, a, m.ta != CUBLAS_OP_N, rounded);
        std::vector<float> y = pack(B, b, m.tb == CUBLAS_OP_N, rounded);
        int64_t M = (int64_t)d.rows, N = (int64_t)d.cols, K = (int64_t)x.size() / M;
        for (int64_t j = 0; j < N; j++)
            for (int64_t i = 0; i < M; i++) {
                float v = alpha * dot(x.data() + i * K, y.data() + j * K, K);
                if (beta != 0.0f)
                    v += beta * load(C, c.type, at(c, i, j));
                store(D, d.type, at(d, i, j), v);
            }
        if (stamp.workspace) /* it is used: who keeps something there will notice */
            memset(workspace, 0xFF, stamp.workspace);
    });
    return CUBLAS_STATUS_SUCCESS;
}
}
