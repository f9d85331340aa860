/* Vectors of sixteen numbers, in fp32 whatever is stored, for the passes of this folder's C files.

   They are GNU C's, which GCC and Clang turn into what the processor has. Rows of another length end in a part of a
   vector: its missing numbers are read as zeros and not written. */

#ifndef VECTORS
#define VECTORS

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

typedef uint16_t bf16;
typedef int64_t i64;
typedef float vec __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
typedef uint32_t bits __attribute__((vector_size(64)));
typedef uint16_t halves __attribute__((vector_size(32)));

#define WIDE 16

/* A pass that may be asked for something rare is made twice: a plain copy, which asks nothing within its loops, and a
   rare one, kept out of its way. */
#define ALWAYS static inline __attribute__((always_inline))
#define RARE static __attribute__((noinline))

/* What GNU C has no word for, or no short one. `larger` and `smaller` give b where one of them is NaN. */
#ifdef __AVX512F__
static inline vec widened(halves h) { return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16); }
static inline vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
static inline vec smaller(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
static inline vec times_power_of_two(vec a, vec n) { return (vec)_mm512_scalef_ps((__m512)a, (__m512)n); }
static inline vec rough_inverse(vec a) { return (vec)_mm512_rcp14_ps((__m512)a); }
#else
static inline vec widened(halves h) { return (vec)(__builtin_convertvector(h, bits) << 16); }
static inline vec larger(vec a, vec b) { ints m = a > b; return (vec)(((ints)a & m) | ((ints)b & ~m)); }
static inline vec smaller(vec a, vec b) { ints m = a < b; return (vec)(((ints)a & m) | ((ints)b & ~m)); }
static inline vec times_power_of_two(vec a, vec n) {
    return a * (vec)((__builtin_convertvector(n, ints) + 127) << 23);
}
static inline vec rough_inverse(vec a) { return 1.0f / a; }
#endif

static inline vec load_float(const float *p, i64 left) {
    vec v = {0};
    if (left >= WIDE) memcpy(&v, p, sizeof v);
    else for (i64 j = 0; j < left; j++) v[j] = p[j];
    return v;
}

static inline void store_float(float *p, i64 left, vec v) {
    if (left >= WIDE) memcpy(p, &v, sizeof v);
    else for (i64 j = 0; j < left; j++) p[j] = v[j];
}

static inline vec load_bf16(const bf16 *p, i64 left) {
    halves h = {0};
    if (left >= WIDE) memcpy(&h, p, sizeof h);
    else for (i64 j = 0; j < left; j++) h[j] = p[j];
    return widened(h);
}

static inline void store_bf16(bf16 *p, i64 left, vec v) { /* to nearest even, as PyTorch rounds; NaN stays NaN */
#ifdef __AVX512BF16__
    halves h = (halves)_mm512_cvtneps_pbh((__m512)v);
#else
    bits u = (bits)v, nan = (bits)((u & 0x7fffffff) > 0x7f800000);
    bits rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    halves h = __builtin_convertvector((rounded & ~nan) | (nan & 0x7fc0), halves);
#endif
    if (left >= WIDE) memcpy(p, &h, sizeof h);
    else for (i64 j = 0; j < left; j++) p[j] = h[j];
}

static inline vec all(float v) { return (vec){0} + v; }

/* Sum and maximum of a vector's numbers, halves upon halves. */
#ifdef __AVX512F__
static inline float total(vec v) { return _mm512_reduce_add_ps((__m512)v); }
static inline float largest(vec v) { return _mm512_reduce_max_ps((__m512)v); }
#else
#define FOLD(name, with)                                                             \
    static inline float name(vec v) {                                                \
        float a[WIDE];                                                               \
        memcpy(a, &v, sizeof v);                                                     \
        for (i64 n = WIDE / 2; n; n /= 2)                                            \
            for (i64 j = 0; j < n; j++) a[j] = with(a[j], a[j + n]);                 \
        return a[0];                                                                 \
    }
#define PLUS(a, b) ((a) + (b))
#define MORE(a, b) ((a) > (b) ? (a) : (b))
FOLD(total, PLUS)
FOLD(largest, MORE)
#endif

/* v where row places j .. j + 15 lie in [lo, hi), else `other`. */
static inline vec inside(vec v, i64 j, i64 lo, i64 hi, float other) {
    if (j >= lo && j + WIDE <= hi) return v;
    ints at = (ints){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + (int32_t)j;
    ints in = (at >= (int32_t)lo) & (at < (int32_t)hi);
    return (vec)(((ints)v & in) | ((ints)all(other) & ~in));
}

/* exp to 2 units in the last place for x <= 88: 2^n times a polynomial (Cephes, S. Moshier). Adding 1.5 * 2^23 rounds
   to a whole number. */
static inline vec expo(vec x) {
    x = larger(all(-87.0f), x);
    vec n = (x * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return times_power_of_two(p, n);
}

/* tanh to 2 units in the last place (Cephes): odd powers near 0, where the other form would cancel. */
static inline vec tangent(vec x) {
    vec size = (vec)((ints)x & 0x7fffffff), z = x * x;
    vec p = z * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    vec far = 1.0f - 2.0f / (expo(smaller(all(20), size) * 2.0f) + 1.0f); /* 1 from 9 on */
    ints near = size < 0.625f, sign = (ints)x & (int32_t)0x80000000;
    return (vec)(((ints)(p * z * x + x) & near) | (((ints)far | sign) & ~near));
}

/* What a product of query and key is before its softmax, but for a factor: bent to stay within -cap .. cap (Gemma 2),
   or as it is where cap is 0. `slope` is the derivative, given what came out. */
static inline vec bent(vec product, float factor, float cap) {
    return cap ? tangent(product * (factor / cap)) * cap : product;
}
static inline float after(float factor, float cap) { return cap ? 1 : factor; }
static inline vec slope(vec v, float cap) { return 1.0f - v * v * (1 / cap / cap); }

/* The logarithm of a sum, such that no score lies above it: as a rounded number, that of huge scores may lie so far
   below them that exp overflowed. */
static inline float above(float lse) { return fabsf(lse) > 1e7f ? lse + fabsf(lse) * 0x1p-21f : lse; }

/* 1 / (1 + exp(-x)), without a division where that would cost as much as the rest; from x = -80 down it is 1.8e-35. */
static inline vec sigmoid(vec x) {
    vec d = expo(-larger(all(-80.0f), x)) + 1.0f, y = rough_inverse(d);
    return y * (2.0f - d * y);
}

#endif
