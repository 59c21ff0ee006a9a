/* Elements of matrices of either type, in groups of 4 (a group of a dropout mask): one access of
 * 128 bits of float or 64 of bfloat16 where addresses allow (VEC), else one element at a time. */
#ifndef T5_DEVICE_ELEMENT_CUH
#define T5_DEVICE_ELEMENT_CUH
#include "device/launch.cuh"

__device__ __forceinline__ float get(const float *p) {
    return *p;
}
__device__ __forceinline__ float get(const bf16 *p) {
    return __bfloat162float(*p);
}
__device__ __forceinline__ void put(float *p, float v) {
    *p = v;
}
__device__ __forceinline__ void put(bf16 *p, float v) {
    *p = __float2bfloat16(v);
}

__device__ __forceinline__ unsigned pack2(float low, float high) {
    __nv_bfloat162 h = __floats2bfloat162_rn(low, high);
    return *(unsigned *)&h;
}
__device__ __forceinline__ float2 unpack2(unsigned bits) {
    return __bfloat1622float2(*(__nv_bfloat162 *)&bits);
}

__device__ __forceinline__ float4 get4(const float *p) {
    return *(const float4 *)p;
}
__device__ __forceinline__ float4 get4(const bf16 *p) {
    uint2 u = *(const uint2 *)p;
    float2 a = unpack2(u.x), b = unpack2(u.y);
    return make_float4(a.x, a.y, b.x, b.y);
}
__device__ __forceinline__ void put4(float *p, float4 v) {
    *(float4 *)p = v;
}
__device__ __forceinline__ void put4(bf16 *p, float4 v) {
    *(uint2 *)p = make_uint2(pack2(v.x, v.y), pack2(v.z, v.w));
}

/* 4 elements of which the first n exist (VEC: all); the others read as 0 and are not written. */
template <bool VEC, class T> __device__ __forceinline__ float4 load4(const T *p, int n) {
    if (VEC)
        return get4(p);
    float4 v = make_float4(0, 0, 0, 0);
    if (n > 0)
        v.x = get(p);
    if (n > 1)
        v.y = get(p + 1);
    if (n > 2)
        v.z = get(p + 2);
    if (n > 3)
        v.w = get(p + 3);
    return v;
}
template <bool VEC, class T> __device__ __forceinline__ void store4(T *p, float4 v, int n) {
    if (VEC) {
        put4(p, v);
        return;
    }
    if (n > 0)
        put(p, v.x);
    if (n > 1)
        put(p + 1, v.y);
    if (n > 2)
        put(p + 2, v.z);
    if (n > 3)
        put(p + 3, v.w);
}

__device__ __forceinline__ float4 operator*(float4 a, float4 b) {
    return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}
__device__ __forceinline__ float4 operator*(float4 a, float b) {
    return make_float4(a.x * b, a.y * b, a.z * b, a.w * b);
}
__device__ __forceinline__ float4 operator+(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}
__device__ __forceinline__ float4 operator-(float4 a, float4 b) {
    return make_float4(a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w);
}
__device__ __forceinline__ float sum4(float4 a) {
    return (a.x + a.y) + (a.z + a.w);
}

/* Whether groups of 4 can be read and written at once in every row; absent matrices can. */
static inline bool in_groups(t5_mat m) {
    size_t group = 4 * t5_dtype_size(m.type);
    return !m.p || ((uintptr_t)m.p % group == 0 && m.ld % 4 == 0 && m.cols % 4 == 0);
}
static inline bool in_groups(const float *p) {
    return (uintptr_t)p % 16 == 0;
}

#endif
