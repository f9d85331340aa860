/* Elementwise passes of a decoder layer, each in one trip through memory, in fp32 whatever is stored.

   Compiled on first use by `native.py` where a C compiler is at hand; the same passes in PyTorch stand in
   `elementwise.py` and are what these are tested against. Matrices are row-major; strides count elements. Work is
   divided by rows or columns, so that sums never depend on the number of threads.

   The file includes itself once for each pair of types: Y is what matrix products take and give, X what the residual
   stream or a gradient that is added up is stored in. Passes that see Y alone are made where both are the same. */

#ifndef X

#include "vectors.h"

#define JOIN3(a, b, c) a##_##b##_##c
#define NAMED3(a, b, c) JOIN3(a, b, c)
#define FN(name) NAMED3(name, X, Y) /* norm_float_bf16 */
#define JOIN2(a, b) a##_##b
#define NAMED2(a, b) JOIN2(a, b)
#define LOAD(t) NAMED2(load, t)
#define STORE(t) NAMED2(store, t)
#define ONE(name) NAMED2(name, Y) /* swiglu_bf16 */
#define PARALLEL _Pragma("omp parallel for num_threads(threads) schedule(static) if(threads > 1)")
#define EACH(j, d) for (i64 j = 0; j < (d); j += WIDE)
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

/* y = x / rms(x) * w over rows of d; rows of y are `to` apart; scale [n] keeps 1 / rms. */
void FN(norm)(const X *x, const float *w, Y *y, i64 to, float *scale, i64 n, i64 d, float eps, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const X *a = x + i * d;
        Y *b = y + i * to;
        vec sum = {0};
        EACH(j, d) {
            vec v = LOAD(X)(a + j, d - j);
            sum += v * v;
        }
        float s = scale[i] = 1.0f / sqrtf(total(sum) / d + eps);
        EACH(j, d) STORE(Y)(b + j, d - j, LOAD(X)(a + j, d - j) * s * load_float(w + j, d - j));
    }
}

/* dx = past + gradient of norm by x; `past` may be null and may be dx itself. */
void FN(norm_backward)(const Y *dy, const X *x, const float *w, const float *scale, const X *past, X *dx, i64 n, i64 d,
                       int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const X *a = x + i * d, *p = past + i * d;
        const Y *g = dy + i * d;
        X *b = dx + i * d;
        vec sum = {0};
        EACH(j, d) sum += LOAD(Y)(g + j, d - j) * load_float(w + j, d - j) * LOAD(X)(a + j, d - j);
        float s = scale[i], c = total(sum) * s * s / d;
        EACH(j, d) {
            vec v = (LOAD(Y)(g + j, d - j) * load_float(w + j, d - j) - LOAD(X)(a + j, d - j) * c) * s;
            STORE(X)(b + j, d - j, past ? v + LOAD(X)(p + j, d - j) : v);
        }
    }
}

/* dw = sum over rows of dy * x * scale, each thread a block of columns. */
void FN(norm_weight)(const Y *dy, const X *x, const float *scale, float *dw, i64 n, i64 d, int threads) {
    PARALLEL
    EACH(j, d) {
        vec sum = {0};
        for (i64 i = 0; i < n; i++) sum += LOAD(Y)(dy + i * d + j, d - j) * LOAD(X)(x + i * d + j, d - j) * scale[i];
        store_float(dw + j, d - j, sum);
    }
}

ALWAYS void FN(rotate_head_backward)(const X *g, const Y *a, const float *w, float r, const float *c, const float *s, Y *b,
                                     float *sums, i64 d) {
    i64 half = d / 2;
    float v[LONG];
    vec dot = {0};
    EACH(j, half) {
        i64 k = half - j;
        vec left = LOAD(X)(g + j, k), right = LOAD(X)(g + half + j, k);
        vec cos = load_float(c + j, k), sin = load_float(s + j, k);
        store_float(v + j, k, left * cos + right * sin);
        store_float(v + half + j, k, right * cos - left * sin);
    }
    if (w) EACH(j, d) {
        vec t = load_float(v + j, d - j) * LOAD(Y)(a + j, d - j);
        dot += t * load_float(w + j, d - j);
        if (sums) store_float(sums + j, d - j, load_float(sums + j, d - j) + t * r);
    }
    float mean = total(dot) * r * r / d;
    EACH(j, d) {
        vec t = load_float(v + j, d - j);
        if (w) t = (t * load_float(w + j, d - j) - LOAD(Y)(a + j, d - j) * mean) * r;
        STORE(Y)(b + j, d - j, t);
    }
}

/* Gradient of `rotate` by x; dy is [n, heads, d]; dx has rows `to` apart. dw [blocks, d], or null, is the gradient
   by w, each line that of an equal share of the rows: how many lines does not depend on threads. */
void FN(rotate_backward)(const X *dy, const Y *x, i64 from, const float *w, const float *scale,
                         const float *cosine, const float *sine, Y *dx, i64 to, float *dw, i64 blocks, i64 n,
                         i64 heads, i64 d, int threads) {
    i64 share = (n + blocks - 1) / blocks;
    PARALLEL
    for (i64 block = 0; block < blocks; block++) {
        float *sums = dw ? dw + block * d : 0;
        if (sums) memset(sums, 0, d * sizeof(float));
        for (i64 i = block * share; i < n && i < (block + 1) * share; i++) {
            const float *c = cosine + i * d, *s = sine + i * d;
            for (i64 h = 0; h < heads; h++) {
                const X *g = dy + (i * heads + h) * d;
                const Y *a = x + i * from + h * d;
                Y *b = dx + i * to + h * d;
                float r = w ? scale[i * heads + h] : 1.0f;
                switch (d) { /* of which the compiler then knows that they are whole vectors, and how many */
                case 64: FN(rotate_head_backward)(g, a, w, r, c, s, b, sums, 64); break;
                case 128: FN(rotate_head_backward)(g, a, w, r, c, s, b, sums, 128); break;
                default: FN(rotate_head_backward)(g, a, w, r, c, s, b, sums, d);
                }
            }
        }
    }
}

#ifdef SAME

ALWAYS void ONE(rotate_head)(const Y *a, const float *w, float eps, const float *c, const float *s, Y *b, float *scale,
                             i64 d) {
    i64 half = d / 2;
    float r = 1.0f;
    if (w) {
        vec sum = {0};
        EACH(j, d) {
            vec v = LOAD(Y)(a + j, d - j);
            sum += v * v;
        }
        r = *scale = 1.0f / sqrtf(total(sum) / d + eps);
    }
    EACH(j, half) {
        i64 k = half - j;
        vec left = LOAD(Y)(a + j, k), right = LOAD(Y)(a + half + j, k);
        if (w) {
            left *= load_float(w + j, k) * r;
            right *= load_float(w + half + j, k) * r;
        }
        vec cos = load_float(c + j, k), sin = load_float(s + j, k);
        STORE(Y)(b + j, k, left * cos - right * sin);
        STORE(Y)(b + half + j, k, right * cos + left * sin);
    }
}

/* Rows of `heads` vectors of d numbers, `from` apart: with w, each vector is first divided by its rms and multiplied
   by w (scale [n, heads] keeps 1 / rms); then turned by the angles of its row (cos and sin [n, d], both halves alike).
   y is [n, heads, d]. */
void ONE(rotate)(const Y *x, i64 from, const float *w, float eps, const float *cosine, const float *sine, Y *y,
                 float *scale, i64 n, i64 heads, i64 d, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const float *c = cosine + i * d, *s = sine + i * d;
        for (i64 h = 0; h < heads; h++) {
            const Y *a = x + i * from + h * d;
            Y *b = y + (i * heads + h) * d;
            float *r = w ? scale + i * heads + h : 0;
            switch (d) {
            case 64: ONE(rotate_head)(a, w, eps, c, s, b, r, 64); break;
            case 128: ONE(rotate_head)(a, w, eps, c, s, b, r, 128); break;
            default: ONE(rotate_head)(a, w, eps, c, s, b, r, d);
            }
        }
    }
}

/* y = silu(gate) * up, where a row of x is [gate, up], each d long; rows of y are `to` apart. */
void ONE(swiglu)(const Y *x, Y *y, i64 to, i64 n, i64 d, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const Y *g = x + i * 2 * d, *u = g + d;
        EACH(j, d) {
            vec a = LOAD(Y)(g + j, d - j);
            STORE(Y)(y + i * to + j, d - j, a * sigmoid(a) * LOAD(Y)(u + j, d - j));
        }
    }
}

/* dy becomes what swiglu gave; rows of dx are `to` apart. */
void ONE(swiglu_backward)(const Y *x, Y *dy, Y *dx, i64 to, i64 n, i64 d, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        const Y *g = x + i * 2 * d, *u = g + d;
        Y *e = dy + i * d, *dg = dx + i * to, *du = dg + d;
        EACH(j, d) {
            vec a = LOAD(Y)(g + j, d - j), b = LOAD(Y)(u + j, d - j), s = sigmoid(a), t = LOAD(Y)(e + j, d - j);
            STORE(Y)(dg + j, d - j, t * b * s * (a * (1.0f - s) + 1.0f));
            STORE(Y)(du + j, d - j, t * a * s);
            STORE(Y)(e + j, d - j, a * s * b);
        }
    }
}

/* One row of `softmax`. */
ALWAYS void ONE(softmax_row)(Y *a, i64 lo, i64 hi, i64 k, float *lse, float factor, float cap, const float *sink) {
    i64 from = lo / WIDE * WIDE, j;
    vec most = all(-INFINITY), next = most, sum = {0};
    for (j = from; j < hi; j += 2 * WIDE) { /* two at once, as each waits for the one before */
        most = larger(inside(LOAD(Y)(a + j, k - j), j, lo, hi, -INFINITY), most);
        next = larger(inside(LOAD(Y)(a + j + WIDE, k - j - WIDE), j + WIDE, lo, hi, -INFINITY), next);
    }
    most = larger(next, most);
    float outer = after(factor, cap), top = largest(cap ? bent(most, factor, cap) : most) * outer, base = 0;
    if (fabsf(top) > 1e7f) { /* their distance would drown in rounding, so that exp overflowed */
        for (j = from; j < hi; j += WIDE) STORE(Y)(a + j, k - j, LOAD(Y)(a + j, k - j) - largest(most));
        base = top, top = 0;
    }
    if (sink) top = fmaxf(top, *sink - base);
    float e[LONG]; /* what does not fit is computed again */
    for (j = from; j < hi; j += WIDE) {
        vec v = inside(expo(bent(LOAD(Y)(a + j, k - j), factor, cap) * outer - top), j, lo, hi, 0);
        if (j - from < LONG) store_float(e + j - from, WIDE, v);
        sum += v;
    }
    float whole = total(sum) + (sink ? expf(*sink - base - top) : 0), part = 1.0f / whole, known = top + logf(whole);
    *lse = base + known;
    memset(a, 0, from * sizeof(Y));
    for (j = from; j < hi; j += WIDE) {
        vec v = j - from < LONG
                    ? load_float(e + j - from, WIDE) * part
                    : inside(expo(bent(LOAD(Y)(a + j, k - j), factor, cap) * outer - known), j, lo, hi, 0);
        STORE(Y)(a + j, k - j, v);
    }
    if (j < k) memset(a + j, 0, (k - j) * sizeof(Y));
}

RARE void ONE(softmax_bent)(Y *a, i64 lo, i64 hi, i64 k, float *lse, float factor, float cap, const float *sink) {
    ONE(softmax_row)(a, lo, hi, k, lse, factor, cap, sink);
}

/* Scores x [b, m, k] become probabilities in place: row i of b sees first <= j < last, spans [b / heads, q] of place
   i % q. Scores are multiplied by `factor` and kept within a cap (0: none); sinks, one a head or null, join the sum
   that lse [b, m] keeps the logarithm of. Each of the `heads` of a piece has its own b, in which m / q share keys. */
void ONE(softmax)(Y *x, const int32_t *first, const int32_t *last, float *lse, float factor, float cap,
                  const float *sinks, i64 b, i64 heads, i64 m, i64 q, i64 k, int threads) {
    PARALLEL
    for (i64 row = 0; row < b * m; row++) {
        i64 at = (row / m / heads) * q + row % m % q, lo = first[at], hi = last[at];
        const float *sink = sinks ? sinks + row / m % heads * (m / q) + row % m / q : 0;
        if (cap || sink) ONE(softmax_bent)(x + row * k, lo, hi, k, lse + row, factor, cap, sink);
        else ONE(softmax_row)(x + row * k, lo, hi, k, lse + row, factor, 0, 0);
    }
}

ALWAYS void ONE(softmax_backward_row)(Y *a, Y *g, i64 lo, i64 hi, i64 k, float known, float factor, float cap) {
    i64 from = lo / WIDE * WIDE, j;
    vec sum = {0};
    memset(a, 0, from * sizeof(Y));
    memset(g, 0, from * sizeof(Y));
    for (j = from; j < hi; j += WIDE) {
        vec v = bent(LOAD(Y)(a + j, k - j), factor, cap) * after(factor, cap);
        vec p = inside(expo(v - known), j, lo, hi, 0);
        sum += p * LOAD(Y)(g + j, k - j);
        if (!cap) STORE(Y)(a + j, k - j, p); /* else scores are needed once more */
    }
    float dot = total(sum);
    for (j = from; j < hi; j += WIDE) {
        vec p = LOAD(Y)(a + j, k - j), steep = all(factor);
        if (cap) {
            vec v = bent(p, factor, cap);
            p = inside(expo(v - known), j, lo, hi, 0);
            steep *= slope(v, cap);
            STORE(Y)(a + j, k - j, p);
        }
        STORE(Y)(g + j, k - j, p * (LOAD(Y)(g + j, k - j) - dot) * steep);
    }
    if (j < k) {
        memset(a + j, 0, (k - j) * sizeof(Y));
        memset(g + j, 0, (k - j) * sizeof(Y));
    }
}

RARE void ONE(softmax_backward_bent)(Y *a, Y *g, i64 lo, i64 hi, i64 k, float known, float factor, float cap) {
    ONE(softmax_backward_row)(a, g, lo, hi, k, known, factor, cap);
}

/* Scores x become probabilities p again, in place; dp, the gradient by p, becomes the gradient by the scores. */
void ONE(softmax_backward)(Y *x, Y *dp, const int32_t *first, const int32_t *last, const float *lse, float factor,
                           float cap, i64 b, i64 heads, i64 m, i64 q, i64 k, int threads) {
    PARALLEL
    for (i64 row = 0; row < b * m; row++) {
        i64 at = (row / m / heads) * q + row % m % q, lo = first[at], hi = last[at];
        if (cap) ONE(softmax_backward_bent)(x + row * k, dp + row * k, lo, hi, k, above(lse[row]), factor, cap);
        else ONE(softmax_backward_row)(x + row * k, dp + row * k, lo, hi, k, above(lse[row]), factor, 0);
    }
}

/* Gradient of attention by its sinks, added to dsinks [heads]: heads of dout and out have rows `_from` apart; rows
   [b, q] of them asked, `used` [b] of those are real, and lse is [b, heads, q]. */
void ONE(sinks_backward)(const Y *dout, i64 dout_from, const Y *out, i64 out_from, const i64 *rows, const i64 *used,
                         const float *lse, const float *sinks, float *dsinks, i64 b, i64 heads, i64 q, i64 d,
                         int threads) {
    PARALLEL
    for (i64 h = 0; h < heads; h++) {
        double sum = 0;
        for (i64 i = 0; i < b; i++)
            for (i64 j = 0; j < used[i]; j++) {
                const Y *g = dout + rows[i * q + j] * dout_from + h * d, *o = out + rows[i * q + j] * out_from + h * d;
                vec dot = {0};
                EACH(c, d) dot += LOAD(Y)(g + c, d - c) * LOAD(Y)(o + c, d - c);
                sum -= expf(sinks[h] - lse[(i * heads + h) * q + j]) * total(dot);
            }
        dsinks[h] += sum;
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

/* The same, added up in fp32: several places may hold the same row. Each thread owns neighbouring heads, so that the
   order of additions is that of b whatever the number of threads. */
void ONE(scatter)(const Y *x, const i64 *rows, const i64 *used, float *y, i64 b, i64 heads, i64 k, i64 d,
                  int threads) {
    i64 shares = threads < heads ? threads : heads;
    PARALLEL
    for (i64 share = 0; share < shares; share++)
        for (i64 i = 0; i < b; i++)
            for (i64 j = 0; j < used[i]; j++)
                for (i64 h = share * heads / shares; h < (share + 1) * heads / shares; h++) {
                    const Y *a = x + ((i * heads + h) * k + j) * d;
                    float *out = y + (rows[i * k + j] * heads + h) * d;
                    EACH(c, d) store_float(out + c, d - c, load_float(out + c, d - c) + LOAD(Y)(a + c, d - c));
                }
}

/* Logits x [n, v] become exp(x - top) in place, top [n] being the largest of their row so far; sum [n] is rescaled to it
   and added to, and shrunk [n] is what it was rescaled by. */
void ONE(exponentials)(Y *x, float *top, float *sum, float *shrunk, i64 n, i64 v, int threads) {
    PARALLEL
    for (i64 i = 0; i < n; i++) {
        Y *a = x + i * v;
        vec most = all(top[i]), more = {0};
        EACH(j, v) most = larger(inside(LOAD(Y)(a + j, v - j), j, 0, v, -INFINITY), most);
        float now = largest(most);
        EACH(j, v) {
            vec e = inside(expo(LOAD(Y)(a + j, v - j) - now), j, 0, v, 0);
            more += e;
            STORE(Y)(a + j, v - j, e);
        }
        shrunk[i] = expf(top[i] - now);
        sum[i] = sum[i] * shrunk[i] + total(more);
        top[i] = now;
    }
}

#endif
#endif
