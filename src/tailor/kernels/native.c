/* Elementwise passes of a decoder layer, each in one trip through memory, in fp32 whatever is stored.

   Compiled on first use by `native.py` where a C compiler is at hand; the same passes in PyTorch stand in
   `elementwise.py` and are what these are tested against. Matrices are row-major; strides count elements. Work is
   divided by rows or columns, so that sums never depend on the number of threads.

   The file includes itself once for each pair of types: X is what the residual stream is stored in, Y what matrix
   products take and give. Passes that never see the residual stream are made where both are the same. */

#ifndef X

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;
typedef int64_t i64;

static inline float get_bf16(bf16 v) {
    union { uint32_t u; float f; } c = { (uint32_t)v << 16 };
    return c.f;
}

static inline bf16 put_bf16(float v) { /* to nearest even, as PyTorch rounds; infinities stay, NaN stays NaN */
    union { float f; uint32_t u; } c = { v };
    uint32_t rounded = (c.u + 0x7fff + ((c.u >> 16) & 1)) >> 16;
    return (bf16)((c.u & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
}

static inline float get_float(float v) { return v; }
static inline float put_float(float v) { return v; }

/* exp to 2 units in the last place for x <= 88: 2^n times a polynomial (Cephes, S. Moshier), free of branches so that
   loops over it become vector code everywhere. */
static inline float expo(float x) {
    x = x < -87.0f ? -87.0f : x;
    float n = nearbyintf(x * 1.44269504088896341f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t i; float f; } scale = { ((int32_t)n + 127) << 23 };
    return p * scale.f;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + expo(-x)); }

#define JOIN3(a, b, c) a##_##b##_##c
#define NAMED3(a, b, c) JOIN3(a, b, c)
#define FN(name) NAMED3(name, X, Y) /* norm_float_bf16 */
#define JOIN2(a, b) a##_##b
#define NAMED2(a, b) JOIN2(a, b)
#define GET(t) NAMED2(get, t)
#define PUT(t) NAMED2(put, t)
#define ONE(name) NAMED2(name, Y) /* swiglu_bf16 */
#define PARALLEL _Pragma("omp parallel for num_threads(threads) schedule(static) if(threads > 1)")
#define SIMD _Pragma("omp simd")
#define LONG 4096

#define X float
#define Y bf16
#include "native.c"
#undef X
#undef Y
#define SAME
#define X bf16
#define Y bf16
#include "native.c"
#undef X
#undef Y
#define X float
#define Y float
#include "native.c"

#else

/* y = x / rms(x) * w over rows of d; scale [n] keeps 1 / rms. */
void FN(norm)(const X *x, const float *w, Y *y, float *scale, i64 n, i64 d, float eps, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const X *a = x + i * d;
        Y *b = y + i * d;
        float sum = 0;
        _Pragma("omp simd reduction(+ : sum)")
        for (i64 j = 0; j < d; j++) sum += GET(X)(a[j]) * GET(X)(a[j]);
        float s = scale[i] = 1.0f / sqrtf(sum / d + eps);
        SIMD
        for (i64 j = 0; j < d; j++) b[j] = PUT(Y)(GET(X)(a[j]) * s * w[j]);
    }
}

/* dx = past + gradient of norm by x; `past` may be null and may be dx itself. */
void FN(norm_backward)(const Y *dy, const X *x, const float *w, const float *scale, const X *past, X *dx, i64 n, i64 d,
                       int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const X *a = x + i * d;
        const Y *g = dy + i * d;
        float s = scale[i], dot = 0;
        _Pragma("omp simd reduction(+ : dot)")
        for (i64 j = 0; j < d; j++) dot += GET(Y)(g[j]) * w[j] * GET(X)(a[j]);
        float c = dot * s * s / d;
        X *b = dx + i * d;
        if (past) {
            const X *p = past + i * d;
            SIMD
            for (i64 j = 0; j < d; j++)
                b[j] = PUT(X)(GET(X)(p[j]) + s * (GET(Y)(g[j]) * w[j] - GET(X)(a[j]) * c));
        } else {
            SIMD
            for (i64 j = 0; j < d; j++) b[j] = PUT(X)(s * (GET(Y)(g[j]) * w[j] - GET(X)(a[j]) * c));
        }
    }
}

/* dw = sum over rows of dy * x * scale, each thread a block of columns. */
void FN(norm_weight)(const Y *dy, const X *x, const float *scale, float *dw, i64 n, i64 d, int threads) {
    i64 block = 64, blocks = (d + block - 1) / block;
    PARALLEL
    for (i64 k = 0; k < blocks; k++) {
        i64 from = k * block, to = from + block < d ? from + block : d;
        for (i64 j = from; j < to; j++) dw[j] = 0;
        for (i64 i = 0; i < n; i++) {
            const X *a = x + i * d;
            const Y *g = dy + i * d;
            float s = scale[i];
            SIMD
            for (i64 j = from; j < to; j++) dw[j] += GET(Y)(g[j]) * GET(X)(a[j]) * s;
        }
    }
}

#ifdef SAME

/* Rows of `heads` vectors of d numbers, `from` apart: with w, each vector is first divided by its rms and multiplied
   by w (scale [n, heads] keeps 1 / rms); then turned by the angles of its row (cos and sin [n, d], both halves alike).
   y is [n, heads, d]. */
void ONE(rotate)(const Y *x, i64 from, const float *w, float eps, const float *cosine, const float *sine, Y *y,
                 float *scale, i64 n, i64 heads, i64 d, int threads) {
    i64 half = d / 2;
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const float *restrict c = cosine + i * d, *restrict s = sine + i * d;
        for (i64 h = 0; h < heads; h++) {
            const Y *restrict a = x + i * from + h * d;
            Y *restrict b = y + (i * heads + h) * d;
            float left[512], right[512], r = 1.0f;
            if (w) {
                float sum = 0;
                _Pragma("omp simd reduction(+ : sum)")
                for (i64 j = 0; j < d; j++) sum += GET(Y)(a[j]) * GET(Y)(a[j]);
                r = scale[i * heads + h] = 1.0f / sqrtf(sum / d + eps);
                SIMD
                for (i64 j = 0; j < half; j++) left[j] = GET(Y)(a[j]) * r * w[j];
                SIMD
                for (i64 j = 0; j < half; j++) right[j] = GET(Y)(a[j + half]) * r * w[j + half];
            } else {
                SIMD
                for (i64 j = 0; j < half; j++) left[j] = GET(Y)(a[j]);
                SIMD
                for (i64 j = 0; j < half; j++) right[j] = GET(Y)(a[j + half]);
            }
            SIMD
            for (i64 j = 0; j < half; j++) b[j] = PUT(Y)(left[j] * c[j] - right[j] * s[j]);
            SIMD
            for (i64 j = 0; j < half; j++) b[j + half] = PUT(Y)(right[j] * c[j] + left[j] * s[j]);
        }
    }
}

/* Gradient of `rotate` by x; dy is fp32 [n, heads, d]; dx has rows `to` apart. dw [blocks, d], or null, is the gradient
   by w, each line that of an equal share of the rows: how many lines does not depend on threads. */
void ONE(rotate_backward)(const float *dy, const Y *x, i64 from, const float *w, const float *scale,
                          const float *cosine, const float *sine, Y *dx, i64 to, float *dw, i64 blocks, i64 n,
                          i64 heads, i64 d, int threads) {
    i64 half = d / 2, share = (n + blocks - 1) / blocks;
    PARALLEL
    for (i64 block = 0; block < blocks; block++) {
        float total[1024];
        memset(total, 0, d * sizeof(float));
        for (i64 i = block * share; i < n && i < (block + 1) * share; i++) {
            const float *restrict c = cosine + i * d, *restrict s = sine + i * d;
            for (i64 h = 0; h < heads; h++) {
                const float *restrict g = dy + (i * heads + h) * d;
                const Y *restrict a = x + i * from + h * d;
                Y *restrict b = dx + i * to + h * d;
                float v[1024];
                SIMD
                for (i64 j = 0; j < half; j++) v[j] = g[j] * c[j] + g[j + half] * s[j];
                SIMD
                for (i64 j = 0; j < half; j++) v[j + half] = g[j + half] * c[j] - g[j] * s[j];
                if (!w) {
                    SIMD
                    for (i64 j = 0; j < d; j++) b[j] = PUT(Y)(v[j]);
                    continue;
                }
                float r = scale[i * heads + h], dot = 0;
                if (dw) {
                    SIMD
                    for (i64 j = 0; j < d; j++) total[j] += v[j] * GET(Y)(a[j]) * r;
                }
                _Pragma("omp simd reduction(+ : dot)")
                for (i64 j = 0; j < d; j++) dot += v[j] * w[j] * GET(Y)(a[j]);
                float mean = dot * r * r / d;
                SIMD
                for (i64 j = 0; j < d; j++) b[j] = PUT(Y)(r * (v[j] * w[j] - GET(Y)(a[j]) * mean));
            }
        }
        if (dw) memcpy(dw + block * d, total, d * sizeof(float));
    }
}

/* y = silu(gate) * up, where a row of x is [gate, up], each d long. */
void ONE(swiglu)(const Y *x, Y *y, i64 n, i64 d, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const Y *g = x + i * 2 * d, *u = g + d;
        Y *b = y + i * d;
        SIMD
        for (i64 j = 0; j < d; j++) {
            float a = GET(Y)(g[j]);
            b[j] = PUT(Y)(a * sigmoid(a) * GET(Y)(u[j]));
        }
    }
}

void ONE(swiglu_backward)(const Y *x, const Y *dy, Y *dx, i64 n, i64 d, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const Y *g = x + i * 2 * d, *u = g + d, *e = dy + i * d;
        Y *dg = dx + i * 2 * d, *du = dg + d;
        SIMD
        for (i64 j = 0; j < d; j++) {
            float a = GET(Y)(g[j]), s = sigmoid(a), t = GET(Y)(e[j]);
            dg[j] = PUT(Y)(t * GET(Y)(u[j]) * s * (1.0f + a * (1.0f - s)));
            du[j] = PUT(Y)(t * a * s);
        }
    }
}

/* Scores x [b, m, k] become probabilities in place: row i sees the places first[b, i % q] <= j < last[b, i % q], scores
   are multiplied by `factor`, and lse [b, m] keeps the logarithm of the sum. Each of the `heads` of a piece has its own b. */
void ONE(softmax)(Y *x, const int32_t *first, const int32_t *last, float *lse, float factor, i64 b, i64 heads, i64 m,
                  i64 q, i64 k, int threads) {
    PARALLEL
    for (i64 row = 0; row < b * m; row++) {
        i64 at = (row / m / heads) * q + row % m % q;
        i64 lo = first[at], hi = last[at];
        Y *a = x + row * k;
        float most = -INFINITY, sum = 0;
        _Pragma("omp simd reduction(max : most)")
        for (i64 j = lo; j < hi; j++) most = GET(Y)(a[j]) > most ? GET(Y)(a[j]) : most;
        most *= factor;
        float e[LONG];
        i64 held = hi - lo < LONG ? hi - lo : LONG; /* the rest is computed again */
        _Pragma("omp simd reduction(+ : sum)")
        for (i64 j = 0; j < held; j++) sum += e[j] = expo(GET(Y)(a[j + lo]) * factor - most);
        _Pragma("omp simd reduction(+ : sum)")
        for (i64 j = lo + held; j < hi; j++) sum += expo(GET(Y)(a[j]) * factor - most);
        float total = lse[row] = most + logf(sum), part = 1.0f / sum;
        memset(a, 0, lo * sizeof(Y));
        SIMD
        for (i64 j = 0; j < held; j++) a[j + lo] = PUT(Y)(e[j] * part);
        SIMD
        for (i64 j = lo + held; j < hi; j++) a[j] = PUT(Y)(expo(GET(Y)(a[j]) * factor - total));
        memset(a + hi, 0, (k - hi) * sizeof(Y));
    }
}

/* Scores x become probabilities p again, in place; dp, the gradient by p, becomes the gradient by the scores. */
void ONE(softmax_backward)(Y *x, Y *dp, const int32_t *first, const int32_t *last, const float *lse, float factor,
                           i64 b, i64 heads, i64 m, i64 q, i64 k, int threads) {
    PARALLEL
    for (i64 row = 0; row < b * m; row++) {
        i64 at = (row / m / heads) * q + row % m % q;
        i64 lo = first[at], hi = last[at];
        Y *a = x + row * k, *g = dp + row * k;
        float total = lse[row], dot = 0;
        memset(a, 0, lo * sizeof(Y));
        memset(g, 0, lo * sizeof(Y));
        _Pragma("omp simd reduction(+ : dot)")
        for (i64 j = lo; j < hi; j++) {
            float p = expo(GET(Y)(a[j]) * factor - total);
            a[j] = PUT(Y)(p);
            dot += p * GET(Y)(g[j]);
        }
        SIMD
        for (i64 j = lo; j < hi; j++) g[j] = PUT(Y)(GET(Y)(a[j]) * (GET(Y)(g[j]) - dot) * factor);
        memset(a + hi, 0, (k - hi) * sizeof(Y));
        memset(g + hi, 0, (k - hi) * sizeof(Y));
    }
}

/* Rows of x, `from` apart, each of `heads` vectors, as y [b, heads, k, d]: y[b, h, j] = x[rows[b, j], h]. */
void ONE(gather)(const Y *x, i64 from, const i64 *rows, Y *y, i64 b, i64 heads, i64 k, i64 d, int threads) {
    PARALLEL
    for (i64 block = 0; block < b * heads; block++) {
        i64 h = block % heads;
        const i64 *row = rows + block / heads * k;
        Y *out = y + block * k * d;
        for (i64 j = 0; j < k; j++) memcpy(out + j * d, x + row[j] * from + h * d, d * sizeof(Y));
    }
}

/* The way back: y[rows[b, j], h] = x[b, h, j] for the `used` [b] first places of each b; rows of y are `to` apart. */
void ONE(spread)(const Y *x, const i64 *rows, const i64 *used, Y *y, i64 to, i64 b, i64 heads, i64 k, i64 d,
                 int threads) {
    PARALLEL
    for (i64 block = 0; block < b * heads; block++) {
        i64 i = block / heads, h = block % heads;
        for (i64 j = 0; j < used[i]; j++)
            memcpy(y + rows[i * k + j] * to + h * d, x + (block * k + j) * d, d * sizeof(Y));
    }
}

/* The same, added up in fp32: several places may hold the same row. Each thread owns heads, so that the order of
   additions is that of b whatever the number of threads. */
void ONE(scatter)(const Y *x, const i64 *rows, const i64 *used, float *y, i64 b, i64 heads, i64 k, i64 d,
                  int threads) {
    PARALLEL
    for (i64 h = 0; h < heads; h++)
        for (i64 i = 0; i < b; i++)
            for (i64 j = 0; j < used[i]; j++) {
                const Y *a = x + ((i * heads + h) * k + j) * d;
                float *out = y + (rows[i * k + j] * heads + h) * d;
                SIMD
                for (i64 c = 0; c < d; c++) out[c] += GET(Y)(a[c]);
            }
}

/* Logits x [n, v] become probabilities in place; lse [n]. */
void ONE(probabilities)(Y *x, float *lse, i64 n, i64 v, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        Y *a = x + i * v;
        float most = -INFINITY, sum = 0;
        _Pragma("omp simd reduction(max : most)")
        for (i64 j = 0; j < v; j++) most = GET(Y)(a[j]) > most ? GET(Y)(a[j]) : most;
        _Pragma("omp simd reduction(+ : sum)")
        for (i64 j = 0; j < v; j++) sum += expo(GET(Y)(a[j]) - most);
        float total = lse[i] = most + logf(sum);
        SIMD
        for (i64 j = 0; j < v; j++) a[j] = PUT(Y)(expo(GET(Y)(a[j]) - total));
    }
}

#endif
#endif
