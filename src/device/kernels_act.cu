/* Activations of the feed-forward layers. A thread takes 16 bytes at a time: 4 floats or 8 bfloat16
 * numbers of a row. */
#include "device/dropout.cuh"
#include "device/element.cuh"

enum { THREADS = 256 };

template <class T> struct groups { /* of 4 that a thread takes */
    static const int count = sizeof(T) == 2 ? 2 : 1;
};

template <bool VEC, class T>
static __device__ __forceinline__ void load(const T *p, int n, float4 (&v)[groups<T>::count]) {
    if (VEC && sizeof(T) == 2 && n >= 8) {
        uint4 u = *(const uint4 *)p;
        float2 a = unpack2(u.x), b = unpack2(u.y), c = unpack2(u.z), d = unpack2(u.w);
        v[0] = make_float4(a.x, a.y, b.x, b.y);
        v[groups<T>::count - 1] = make_float4(c.x, c.y, d.x, d.y);
        return;
    }
    for (int g = 0; g < groups<T>::count; g++)
        v[g] = load4 < VEC && sizeof(T) == 4 > (p + 4 * g, n - 4 * g);
}
template <bool VEC, class T>
static __device__ __forceinline__ void store(T *p, int n, const float4 (&v)[groups<T>::count]) {
    if (VEC && sizeof(T) == 2 && n >= 8) {
        float4 a = v[0], b = v[groups<T>::count - 1];
        *(uint4 *)p =
            make_uint4(pack2(a.x, a.y), pack2(a.z, a.w), pack2(b.x, b.y), pack2(b.z, b.w));
        return;
    }
    for (int g = 0; g < groups<T>::count; g++)
        store4<VEC && sizeof(T) == 4>(p + 4 * g, v[g], n - 4 * g);
}

/* Whether 16 bytes can be read and written at once in every row of m, and of a second half of its
 * columns that begins at column `second` (0: there is none). */
static bool in_sixteens(t5_mat m, int64_t second) {
    size_t size = t5_dtype_size(m.type);
    return !m.p || (((uintptr_t)m.p | (size_t)m.ld * size | (size_t)second * size) % 16 == 0 &&
                    (m.type == T5_BF16 || m.cols % 4 == 0));
}

/* gelu_new(a) = 0.5 a (1 + tanh(u)) = a s with s = 1 / (1 + exp(-2u)), u = sqrt(2/pi) (a + c a^3):
 * no cancellation where tanh is near -1. Its derivative is s + a s (1 - s) 2 u'. */
static __device__ __forceinline__ float sigmoid_2u(float a) {
    return 1.0f / (1.0f + expf(-1.5957691216057308f * (a + 0.044715f * a * a * a)));
}
static __device__ __forceinline__ float gelu_slope(float a, float s) {
    return s + a * s * (1.0f - s) * 1.5957691216057308f * (1.0f + 3.0f * 0.044715f * a * a);
}
static __device__ __forceinline__ float relu(float v) {
    return v < 0.0f ? 0.0f : v; /* NaN goes through */
}

typedef struct place { /* a thread's elements */
    int j, n;          /* first column, how many exist from there */
} place;
template <class T> static __device__ __forceinline__ place place_of(int cols) {
    int j = 4 * groups<T>::count * (int)(blockIdx.x * THREADS + threadIdx.x);
    return place{j, cols - j};
}
template <class T> static dim3 grid_of(int64_t rows, int64_t cols) {
    return dim3(blocks_for(cols, 4 * groups<T>::count * THREADS), at_most(rows, MOST_BLOCKS_Y));
}

/* in and out may be the same memory: no __restrict__ */
template <class T, bool VEC>
static __global__ void __launch_bounds__(THREADS)
    relu_forward(const T *in, int64_t in_ld, T *out, int64_t out_ld, int64_t rows, int cols,
                 mask drop) {
    place at = place_of<T>(cols);
    for (int64_t t = blockIdx.y; at.n > 0 && t < rows; t += gridDim.y) {
        float4 v[groups<T>::count];
        load<VEC>(in + t * in_ld + at.j, at.n, v);
        for (int g = 0; g < groups<T>::count; g++)
            v[g] = make_float4(relu(v[g].x), relu(v[g].y), relu(v[g].z), relu(v[g].w)) *
                   mask4(drop, t, (uint32_t)(at.j / 4 + g));
        store<VEC>(out + t * out_ld + at.j, at.n, v);
    }
}

template <class T, bool VEC>
static __global__ void __launch_bounds__(THREADS)
    gelu_forward(const T *__restrict__ in, int64_t in_ld, T *__restrict__ out, int64_t out_ld,
                 int64_t rows, int cols, mask drop) {
    place at = place_of<T>(cols);
    for (int64_t t = blockIdx.y; at.n > 0 && t < rows; t += gridDim.y) {
        float4 a[groups<T>::count], b[groups<T>::count];
        load<VEC>(in + t * in_ld + at.j, at.n, a);
        load<VEC>(in + t * in_ld + cols + at.j, at.n, b);
        for (int g = 0; g < groups<T>::count; g++) {
            float4 s = make_float4(sigmoid_2u(a[g].x), sigmoid_2u(a[g].y), sigmoid_2u(a[g].z),
                                   sigmoid_2u(a[g].w));
            a[g] = a[g] * s * b[g] * mask4(drop, t, (uint32_t)(at.j / 4 + g));
        }
        store<VEC>(out + t * out_ld + at.j, at.n, a);
    }
}

template <class T>
static cudaError_t act_forward(t5_activation_kind kind, t5_mat in, t5_mat out, mask drop,
                               cudaStream_t stream) {
    bool relu = kind == T5_ACTIVATION_RELU;
    bool vec = in_sixteens(in, relu ? 0 : out.cols) && in_sixteens(out, 0);
    auto kernel = relu ? (vec ? relu_forward<T, true> : relu_forward<T, false>)
                       : (vec ? gelu_forward<T, true> : gelu_forward<T, false>);
    return launch(kernel, grid_of<T>(out.rows, out.cols), THREADS, 0, stream, (const T *)in.p,
                  in.ld, (T *)out.p, out.ld, out.rows, (int)out.cols, drop);
}

cudaError_t t5_launch_act_forward(t5_activation_kind kind, t5_mat in, t5_mat out, t5_dropout drop,
                                  cudaStream_t stream) {
    return by_type(out.type, [&](auto *t) {
        return act_forward<std::remove_pointer_t<decltype(t)>>(kind, in, out, mask_of(drop),
                                                               stream);
    });
}

/* dout and din may be the same memory */
template <class T, bool VEC>
static __global__ void __launch_bounds__(THREADS)
    relu_backward(const T *__restrict__ out, int64_t out_ld, const T *dout, int64_t dout_ld, T *din,
                  int64_t din_ld, int64_t rows, int cols, float keep) {
    place at = place_of<T>(cols);
    for (int64_t t = blockIdx.y; at.n > 0 && t < rows; t += gridDim.y) {
        float4 y[groups<T>::count], d[groups<T>::count];
        load<VEC>(out + t * out_ld + at.j, at.n, y);
        load<VEC>(dout + t * dout_ld + at.j, at.n, d);
        for (int g = 0; g < groups<T>::count; g++)
            d[g] = make_float4(
                y[g].x > 0.0f ? d[g].x * keep : 0.0f, y[g].y > 0.0f ? d[g].y * keep : 0.0f,
                y[g].z > 0.0f ? d[g].z * keep : 0.0f, y[g].w > 0.0f ? d[g].w * keep : 0.0f);
        store<VEC>(din + t * din_ld + at.j, at.n, d);
    }
}

static __device__ __forceinline__ void gelu_gradient(float &a, float &b, float d) {
    float s = sigmoid_2u(a), db = d * a * s;
    a = d * b * gelu_slope(a, s);
    b = db;
}

template <class T, bool VEC>
static __global__ void __launch_bounds__(THREADS)
    gelu_backward(const T *__restrict__ in, int64_t in_ld, const T *__restrict__ dout,
                  int64_t dout_ld, T *__restrict__ din, int64_t din_ld, int64_t rows, int cols,
                  mask drop) {
    place at = place_of<T>(cols);
    for (int64_t t = blockIdx.y; at.n > 0 && t < rows; t += gridDim.y) {
        float4 a[groups<T>::count], b[groups<T>::count], d[groups<T>::count];
        load<VEC>(in + t * in_ld + at.j, at.n, a);
        load<VEC>(in + t * in_ld + cols + at.j, at.n, b);
        load<VEC>(dout + t * dout_ld + at.j, at.n, d);
        for (int g = 0; g < groups<T>::count; g++) {
            d[g] = d[g] * mask4(drop, t, (uint32_t)(at.j / 4 + g));
            gelu_gradient(a[g].x, b[g].x, d[g].x);
            gelu_gradient(a[g].y, b[g].y, d[g].y);
            gelu_gradient(a[g].z, b[g].z, d[g].z);
            gelu_gradient(a[g].w, b[g].w, d[g].w);
        }
        store<VEC>(din + t * din_ld + at.j, at.n, a);
        store<VEC>(din + t * din_ld + cols + at.j, at.n, b);
    }
}

template <class T>
static cudaError_t act_backward(t5_activation_kind kind, t5_mat in, t5_mat out, t5_mat dout,
                                t5_mat din, mask drop, cudaStream_t stream) {
    dim3 grid = grid_of<T>(dout.rows, dout.cols);
    int cols = (int)dout.cols;
    if (kind == T5_ACTIVATION_RELU) {
        bool vec = in_sixteens(out, 0) && in_sixteens(dout, 0) && in_sixteens(din, 0);
        return launch(vec ? relu_backward<T, true> : relu_backward<T, false>, grid, THREADS, 0,
                      stream, (const T *)out.p, out.ld, (const T *)dout.p, dout.ld, (T *)din.p,
                      din.ld, dout.rows, cols, drop.keep);
    }
    bool vec = in_sixteens(in, cols) && in_sixteens(dout, 0) && in_sixteens(din, cols);
    return launch(vec ? gelu_backward<T, true> : gelu_backward<T, false>, grid, THREADS, 0, stream,
                  (const T *)in.p, in.ld, (const T *)dout.p, dout.ld, (T *)din.p, din.ld, dout.rows,
                  cols, drop);
}

cudaError_t t5_launch_act_backward(t5_activation_kind kind, t5_mat in, t5_mat out, t5_mat dout,
                                   t5_mat din, t5_dropout drop, cudaStream_t stream) {
    return by_type(dout.type, [&](auto *t) {
        return act_backward<std::remove_pointer_t<decltype(t)>>(kind, in, out, dout, din,
                                                                mask_of(drop), stream);
    });
}
