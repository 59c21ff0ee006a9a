/* nvcuda::wmma on the CPU, found before NVIDIA's mma.h. Elements are spread evenly over the lanes,
 * in an order that is not the GPU's and that no kernel may rely on. */
#ifndef T5_TESTS_CUDA_ON_CPU_MMA_H
#define T5_TESTS_CUDA_ON_CPU_MMA_H
#include <type_traits>

namespace nvcuda {
namespace wmma {
struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K> struct shape_;
template <int M, int N, int K> struct shape_<matrix_a, M, N, K> {
    enum { rows = M, cols = K };
};
template <int M, int N, int K> struct shape_<matrix_b, M, N, K> {
    enum { rows = K, cols = N };
};
template <int M, int N, int K> struct shape_<accumulator, M, N, K> {
    enum { rows = M, cols = N };
};
template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    static_assert(M == 16 && N == 16 && K == 16, "only 16 x 16 x 16");
    enum {
        rows = shape_<Use, M, N, K>::rows,
        cols = shape_<Use, M, N, K>::cols,
        num_elements = rows * cols / 32
    };
    T x[num_elements];
};

template <class F, class T> void fill_fragment(F &f, T v) {
    for (auto &x : f.x)
        x = v;
}

template <class F, class T>
void move_(F &f, T *p, unsigned ld, bool row, bool store, emu::Where where) {
    emu::exchange(~0u, 0, emu::lane(), where); /* all lanes together, ordering no memory */
    for (int e = 0; e < F::num_elements; e++) {
        unsigned i = (unsigned)(emu::lane() * F::num_elements + e);
        unsigned r = i / F::cols, c = i % F::cols;
        T &m = p[row ? r * ld + c : c * ld + r];
        if (store)
            m = f.x[e];
        else
            f.x[e] = m;
    }
}

#define EMU_HERE const char *file_ = __builtin_FILE(), int line_ = __builtin_LINE()
template <class Use, int M, int N, int K, class T, class Layout>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout> &f, const T *p, unsigned ld, EMU_HERE) {
    move_(f, const_cast<T *>(p), ld, std::is_same<Layout, row_major>::value, false,
          emu::Where{file_, line_});
}
template <int M, int N, int K, class T>
void load_matrix_sync(fragment<accumulator, M, N, K, T> &f, const T *p, unsigned ld, layout_t l,
                      EMU_HERE) {
    move_(f, const_cast<T *>(p), ld, l == mem_row_major, false, emu::Where{file_, line_});
}
template <int M, int N, int K, class T>
void store_matrix_sync(T *p, const fragment<accumulator, M, N, K, T> &f, unsigned ld, layout_t l,
                       EMU_HERE) {
    move_(const_cast<fragment<accumulator, M, N, K, T> &>(f), p, ld, l == mem_row_major, true,
          emu::Where{file_, line_});
}

template <int M, int N, int K, class T, class LA, class LB, class TC>
void mma_sync(fragment<accumulator, M, N, K, TC> &d, const fragment<matrix_a, M, N, K, T, LA> &a,
              const fragment<matrix_b, M, N, K, T, LB> &b,
              const fragment<accumulator, M, N, K, TC> &c, EMU_HERE) {
    struct Lane {
        decltype(&d) D;
        decltype(&a) A;
        decltype(&b) B;
        decltype(&c) C;
    } mine = {&d, &a, &b, &c};
    auto product =
        [](const uint64_t *lanes) { /* run by the last lane, for all */
                                    enum {
                                        EACH_A = M * K / 32,
                                        EACH_B = K * N / 32,
                                        EACH_C = M * N / 32
                                    };
                                    auto at = [&](int l) { return (Lane *)lanes[l]; };
                                    float sum[M * N], x[M * K], y[K * N];
                                    for (int i = 0; i < M * K; i++)
                                        x[i] = (float)at(i / EACH_A)->A->x[i % EACH_A];
                                    for (int i = 0; i < K * N; i++)
                                        y[i] = (float)at(i / EACH_B)->B->x[i % EACH_B];
                                    for (int i = 0; i < M; i++)
                                        for (int j = 0; j < N; j++) {
                                            float s = 0;
                                            for (int k = 0; k < K; k++)
                                                s += x[i * K + k] * y[k * N + j];
                                            int e = i * N + j;
                                            sum[e] = s + (float)at(e / EACH_C)->C->x[e % EACH_C];
                                        }
                                    for (int i = 0; i < M * N; i++)
                                        at(i / EACH_C)->D->x[i % EACH_C] = sum[i];
        };
    emu::exchange(~0u, (uint64_t)&mine, emu::lane(), emu::Where{file_, line_}, true, product);
}
#undef EMU_HERE
} // namespace wmma
} // namespace nvcuda
#endif
