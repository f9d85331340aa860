/* Attention over pieces of a Tree on a processor's matrix tiles (Intel AMX), scores never leaving its caches.

   Called by `tile_attention.py`; the same as plain matrix products stands in `gemm_attention.py`, and is what this is
   tested against. Everything runs transposed: a strip of 32 queries are the columns of its scores, keys their rows. So
   softmax works lane by lane with nothing to add up across a vector, and what it gives is by itself in the order in
   which tiles want their right side: pairs of rows, side by side. Scores are made and kept in fp32; probabilities and
   gradients of scores are rounded to bf16 as right or left sides of products, which add up in fp32.

   A tile has 16 rows of 64 bytes; all are used whole, so that rows and numbers are filled up with zeros to 32s. */

#include "vectors.h"

#if !defined __AMX_BF16__ || !defined __AVX512BF16__

int has_tiles(void) { return 0; }

#else

#include "tiles.h"

#define ASK_FOR_TILES 0x1023 /* arch_prctl: a process says that it will use them */
#define TILE_DATA 18
#define TOGETHER 4 /* strips whose shares of the gradients by keys and values are added up in one product */
#define KEYS 256   /* keys whose gradients are added up at once, within the caches */

int has_tiles(void) { return syscall(SYS_arch_prctl, ASK_FOR_TILES, TILE_DATA) == 0; }

/* Rows of x, `from` apart, as y [up(n), width], zeros where there are none; d numbers of a row are real. */
static void gather(const bf16 *x, i64 from, const i64 *rows, i64 n, i64 d, i64 width, bf16 *y) {
    for (i64 i = 0; i < n; i++) {
        memcpy(y + i * width, x + rows[i] * from, d * 2);
        if (d < width) memset(y + i * width + d, 0, (width - d) * 2);
    }
    memset(y + n * width, 0, (up(n) - n) * width * 2);
}

/* 32 rows x [32, width] as the right side of a product, pairs of columns [width / 2, 32]. */
static void pair_columns(const bf16 *x, i64 width, uint32_t *y) {
    for (i64 i = 0; i < 32; i += 16)
        for (i64 j = 0; j < width / 2; j += 16)
            transpose((const uint32_t *)(x + i * width) + j, width / 2, y + j * 32 + i, 32);
}

/* What a strip of 32 queries sees: each lane the keys first <= j < last; all of them those of [inner, outer), none
   those before `lo` or from `hi` on, which are 32s. */
typedef struct { ints first[2], last[2]; i64 lo, hi, inner, outer; } Span;

static Span span_of(const int32_t *first, const int32_t *last, i64 n) {
    Span s = {.lo = INT32_MAX, .hi = 0, .inner = 0, .outer = INT32_MAX};
    for (i64 i = 0; i < 32; i++) {
        i64 l = least(i, n - 1); /* lanes without a query repeat the last one's */
        s.first[i / 16][i % 16] = first[l];
        s.last[i / 16][i % 16] = last[l];
        s.lo = least(s.lo, first[l]);
        s.hi = most(s.hi, last[l]);
        s.inner = most(s.inner, first[l]);
        s.outer = least(s.outer, last[l]);
    }
    s.lo = s.lo / EDGE * EDGE;
    s.hi = up(s.hi);
    return s;
}

/* v where lanes see key j, `other` elsewhere. */
static inline vec where_seen(vec v, const Span *s, i64 half, i64 j, float other) {
    if (j >= s->inner && j < s->outer) return v;
    ints at = (ints){0} + (int32_t)j, in = (at >= s->first[half]) & (at < s->last[half]);
    return (vec)(((ints)v & in) | ((ints)all(other) & ~in));
}

/* 16 numbers of each as bf16, side by side: a's, then b's; or in pairs. */
static inline __m512i both(vec a, vec b) { return (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a); }
static inline __m512i paired(vec even, vec odd) {
    const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                           5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turns, both(even, odd));
}

/* Columns as rows: column l of x [width, 32], times its factor, becomes d numbers of row rows[l], n of them. */
static void put(const float *x, const vec *factor, const i64 *rows, i64 n, i64 d, bf16 *y, i64 to) {
    for (i64 half = 0; half * 16 < n; half++)
        for (i64 j = 0; j < d; j += 16) {
            __m512i row[16];
            for (i64 i = 0; i < 16; i++) row[i] = (__m512i)(load_float(x + (j + i) * 32 + half * 16, 16) * factor[half]);
            turn_words(row);
            for (i64 l = 0; l < least(n - half * 16, 16); l++)
                store_bf16(y + rows[half * 16 + l] * to + j, d - j, (vec)row[l]);
        }
}

typedef struct { bf16 *kn, *vn, *vt, *rows; uint32_t *pairs, *qt, *p; float *s, *o; i64 size; } Forward;

static Forward forward_room(void *start, i64 nk, i64 d, i64 dv) {
    i64 wide = up(d), wide_v = up(dv), widest = most(wide, wide_v), long_ = up(nk);
    Room room = {(uintptr_t)start};
    Forward f = {.kn = take(&room, long_ * wide * 2), .vn = take(&room, long_ * wide_v * 2)};
    f.vt = take(&room, wide_v * (long_ + EDGE) * 2);
    f.rows = take(&room, 32 * widest * 2);
    f.pairs = take(&room, 16 * widest * 4);
    f.qt = take(&room, 16 * wide * 4);
    f.p = take(&room, 16 * long_ * 4);
    f.s = take(&room, long_ * 32 * 4);
    f.o = take(&room, wide_v * 32 * 4);
    f.size = room.used;
    return f;
}

/* Bytes that each thread needs. */
i64 tile_attention_room(i64 nk, i64 d, i64 dv) { return forward_room(0, nk, d, dv).size; }

/* out [m, heads, dv] of q [m, heads, d], k [t, kv, d] and v [t, kv, dv], whose rows are `_from` or `_to` apart; pieces
   ask with the rows queries [b, q], asked [b] of them real, and answer with keys [b, k]; spans are [b, q].
   Scores are multiplied by `factor` and kept within a cap (0: none); sinks, one a head or null, join their sums, whose
   logarithm lse [b, kv, group, q] keeps. */
void tile_attention(const bf16 *q, i64 q_from, const bf16 *k, i64 k_from, const bf16 *v, i64 v_from, const i64 *queries,
                    const i64 *keys, const i64 *asked, const i64 *answered, const int32_t *first, const int32_t *last,
                    bf16 *out, i64 out_to, float *lse, float factor, float cap, const float *sinks, i64 b, i64 kv,
                    i64 group, i64 nq, i64 nk, i64 d, i64 dv, char *memory, int threads) {
    i64 wide = up(d), wide_v = up(dv), ld = up(nk) + EDGE, size = tile_attention_room(nk, d, dv);
    float outer = after(factor, cap);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        begin_tiles();
        Forward own = forward_room(memory + omp_get_thread_num() * size, nk, d, dv);
        bf16 *kn = own.kn, *vn = own.vn, *vt = own.vt, *rows = own.rows;
        uint32_t *pairs = own.pairs, *qt = own.qt, *p = own.p;
        float *s = own.s, *o = own.o;
#pragma omp for schedule(dynamic)
        for (i64 task = 0; task < b * kv; task++) {
            i64 piece = task / kv, h = task % kv, m = asked[piece], n = answered[piece];
            const i64 *ask = queries + piece * nq;
            gather(k + h * d, k_from, keys + piece * nk, n, d, wide, kn);
            gather(v + h * dv, v_from, keys + piece * nk, n, dv, wide_v, vn);
            turn(vn, up(n), wide_v, pairs, vt, ld);
            for (i64 i = 0; i < m; i += 32) {
                i64 here = least(32, m - i);
                Span span = span_of(first + piece * nq + i, last + piece * nq + i, here);
                for (i64 g = h * group; g < (h + 1) * group; g++) {
                    gather(q + g * d, q_from, ask + i, here, d, wide, rows);
                    pair_columns(rows, wide, qt);
                    WRITTEN;
                    for (i64 j = span.lo; j < span.hi; j += EDGE)
                        product(kn + j * wide, wide, qt, 32, wide / 32, s + j * 32, 32, 0);
                    if (cap)
                        for (i64 j = span.lo * 32; j < span.hi * 32; j += 16)
                            store_float(s + j, 16, bent(load_float(s + j, 16), factor, cap));
                    vec tops[2] = {all(-INFINITY), all(-INFINITY)}, inverse[2];
                    for (i64 j = span.lo; j < span.hi; j++)
                        for (i64 half = 0; half < 2; half++) {
                            vec score = load_float(s + j * 32 + half * 16, 16);
                            tops[half] = larger(where_seen(score, &span, half, j, -INFINITY), tops[half]);
                        }
                    for (i64 half = 0; half < 2; half++) {
                        vec sum = {0}, top = sinks ? larger(all(sinks[g] / outer), tops[half]) : tops[half];
                        for (i64 j = span.lo; j < span.hi; j += 2) {
                            vec even = expo((load_float(s + j * 32 + half * 16, 16) - top) * outer);
                            vec odd = expo((load_float(s + j * 32 + 32 + half * 16, 16) - top) * outer);
                            even = where_seen(even, &span, half, j, 0);
                            odd = where_seen(odd, &span, half, j + 1, 0);
                            sum += even + odd;
                            _mm512_storeu_si512(p + j * 16 + half * 16, paired(even, odd));
                        }
                        if (sinks) sum += expo(sinks[g] - top * outer);
                        inverse[half] = (vec)((ints)(1.0f / sum) & (sum > 0)); /* who sees nothing becomes zeros */
                        for (i64 l = 0; l < 16 && half * 16 + l < here; l++)
                            lse[((piece * kv + h) * group + g - h * group) * nq + i + half * 16 + l] =
                                top[l] * outer + logf(sum[l]);
                    }
                    WRITTEN;
                    for (i64 j = 0; j < wide_v; j += EDGE)
                        product(vt + j * ld + span.lo, ld, p + span.lo * 16, 32, (span.hi - span.lo) / 32, o + j * 32,
                                32, 0);
                    put(o, inverse, ask + i, here, dv, out + g * dv, out_to);
                }
            }
        }
        _tile_release();
    }
}

typedef struct {
    bf16 *qn, *don, *kn, *vn, *kt, *p, *ds;
    uint32_t *qt, *dot, *qp, *dop, *pairs, *dsp;
    float *dqs, *delta, *known, *dks, *dvs, *s, *dp;
    Span *spans;
    i64 size;
} Backward;

static Backward backward_room(void *start, i64 group, i64 nq, i64 d, i64 dv) {
    i64 wide = up(d), wide_v = up(dv), strips = up(nq) / 32 * group;
    i64 columns = (strips + TOGETHER - 1) / TOGETHER * TOGETHER * 32;
    Room room = {(uintptr_t)start};
    Backward b = {.qn = take(&room, columns * wide * 2), .don = take(&room, columns * wide_v * 2)};
    b.kn = take(&room, KEYS * wide * 2);
    b.vn = take(&room, KEYS * wide_v * 2);
    b.kt = take(&room, wide * (KEYS + EDGE) * 2);
    b.p = take(&room, KEYS * TOGETHER * 32 * 2);
    b.ds = take(&room, KEYS * TOGETHER * 32 * 2);
    b.qt = take(&room, columns * wide * 2);
    b.dot = take(&room, columns * wide_v * 2);
    b.qp = take(&room, columns * wide * 2);
    b.dop = take(&room, columns * wide_v * 2);
    b.pairs = take(&room, 16 * most(wide, wide_v) * 4);
    b.dsp = take(&room, KEYS * 16 * 4);
    b.dqs = take(&room, columns * wide * 4);
    b.delta = take(&room, columns * 4);
    b.known = take(&room, columns * 4);
    b.dks = take(&room, KEYS * wide * 4);
    b.dvs = take(&room, KEYS * wide_v * 4);
    b.s = take(&room, KEYS * 32 * 4);
    b.dp = take(&room, KEYS * 32 * 4);
    b.spans = take(&room, strips * sizeof(Span));
    b.size = room.used;
    return b;
}

/* Bytes that each thread needs on the way back. */
i64 tile_attention_backward_room(i64 group, i64 nq, i64 d, i64 dv) { return backward_room(0, group, nq, d, dv).size; }

/* Probabilities p and, but for the factor, gradients ds of the scores s of a strip, keys lo to hi; rows of both are those
   of TOGETHER strips. dsp is ds as the right side of a product. */
ALWAYS void weigh(const float *s, const float *dp, const float *known, const float *delta, const Span *span, i64 from,
                  i64 lo, i64 hi, float factor, float cap, bf16 *p, bf16 *ds, uint32_t *dsp) {
    vec know[2] = {load_float(known, 16), load_float(known + 16, 16)};
    vec less[2] = {load_float(delta, 16), load_float(delta + 16, 16)};
    for (i64 j = lo - from; j < hi - from; j += 2) {
        vec prob[2][2], grad[2][2];
        for (i64 o = 0; o < 2; o++) {
            for (i64 half = 0; half < 2; half++) {
                i64 at = (j + o) * 32 + half * 16;
                vec score = bent(load_float(s + at, 16), factor, cap);
                vec v = expo(score * after(factor, cap) - know[half]);
                v = prob[o][half] = where_seen(v, span, half, from + j + o, 0);
                grad[o][half] = v * (load_float(dp + at, 16) - less[half]);
                if (cap) grad[o][half] *= slope(score, cap);
            }
            _mm512_storeu_si512(p + (j + o) * TOGETHER * 32, both(prob[o][0], prob[o][1]));
            _mm512_storeu_si512(ds + (j + o) * TOGETHER * 32, both(grad[o][0], grad[o][1]));
        }
        for (i64 half = 0; half < 2; half++)
            _mm512_storeu_si512(dsp + j * 16 + half * 16, paired(grad[0][half], grad[1][half]));
    }
}

RARE void weigh_bent(const float *s, const float *dp, const float *known, const float *delta, const Span *span,
                     i64 from, i64 lo, i64 hi, float factor, float cap, bf16 *p, bf16 *ds, uint32_t *dsp) {
    weigh(s, dp, known, delta, span, from, lo, hi, factor, cap, p, ds, dsp);
}

/* Gradients: dq as q, rows written; dk [t, kv, d] and dvalue [t, kv, dv] in fp32, contiguous, added to. A thread owns
   whole heads of keys, so that the order of additions never depends on their number. */
void tile_attention_backward(const bf16 *dout, i64 dout_from, const bf16 *out, i64 out_from, const bf16 *q, i64 q_from,
                             const bf16 *k, i64 k_from, const bf16 *v, i64 v_from, const i64 *queries, const i64 *keys,
                             const i64 *asked, const i64 *answered, const int32_t *first, const int32_t *last,
                             const float *lse, bf16 *dq, i64 dq_to, float *dk, float *dvalue, float factor,
                             float cap, i64 b, i64 kv, i64 group, i64 nq, i64 nk, i64 d, i64 dv, char *memory,
                             int threads) {
    i64 wide = up(d), wide_v = up(dv), ld = KEYS + EDGE, size = tile_attention_backward_room(group, nq, d, dv);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        begin_tiles();
        Backward own = backward_room(memory + omp_get_thread_num() * size, group, nq, d, dv);
        bf16 *qn = own.qn, *don = own.don, *kn = own.kn, *vn = own.vn, *kt = own.kt, *p = own.p, *ds = own.ds;
        uint32_t *qt = own.qt, *dot = own.dot, *qp = own.qp, *dop = own.dop, *pairs = own.pairs, *dsp = own.dsp;
        float *dqs = own.dqs, *delta = own.delta, *known = own.known, *dks = own.dks, *dvs = own.dvs;
        float *s = own.s, *dp = own.dp;
        Span *spans = own.spans;
        vec scale[2] = {all(factor), all(factor)}; /* of gradients, when all their shares have been added up */
#pragma omp for schedule(static)
        for (i64 h = 0; h < kv; h++)
            for (i64 piece = 0; piece < b; piece++) {
                i64 m = asked[piece], n = answered[piece], strips = up(m) / 32 * group;
                const i64 *ask = queries + piece * nq, *answer = keys + piece * nk;
                for (i64 c = 0; c < strips; c++) { /* strip c holds 32 queries of one head; heads of a group in turn */
                    i64 i = c / group * 32, g = h * group + c % group, here = least(32, m - i);
                    bf16 *rows = qn + c * 32 * wide, *drows = don + c * 32 * wide_v;
                    spans[c] = span_of(first + piece * nq + i, last + piece * nq + i, here);
                    gather(q + g * d, q_from, ask + i, here, d, wide, rows);
                    gather(dout + g * dv, dout_from, ask + i, here, dv, wide_v, drows);
                    pair_columns(rows, wide, qt + c * 16 * wide);
                    pair_columns(drows, wide_v, dot + c * 16 * wide_v);
                    pair(rows, 32, wide, qp + c * 16 * wide);
                    pair(drows, 32, wide_v, dop + c * 16 * wide_v);
                    for (i64 l = 0; l < 32; l++) {
                        vec sum = {0};
                        if (l < here)
                            for (i64 j = 0; j < dv; j += 16)
                                sum += load_bf16(drows + l * wide_v + j, dv - j) *
                                       load_bf16(out + ask[i + l] * out_from + g * dv + j, dv - j);
                        delta[c * 32 + l] = total(sum);
                        known[c * 32 + l] =
                            l < here ? above(lse[((piece * kv + h) * group + c % group) * nq + i + l]) : 0;
                    }
                }
                memset(dqs, 0, strips * 32 * wide * 4);
                for (i64 from = 0; from < n; from += KEYS) {
                    i64 width = least(KEYS, n - from), end = from + up(width);
                    gather(k + h * d, k_from, answer + from, width, d, wide, kn);
                    gather(v + h * dv, v_from, answer + from, width, dv, wide_v, vn);
                    turn(kn, up(width), wide, pairs, kt, ld);
                    memset(dks, 0, up(width) * wide * 4);
                    memset(dvs, 0, up(width) * wide_v * 4);
                    WRITTEN;
                    for (i64 c = 0; c < strips; c += TOGETHER) {
                        i64 some = least(TOGETHER, strips - c), lo = end, hi = from, ld_p = TOGETHER * 32;
                        for (i64 e = c; e < c + some; e++) {
                            lo = least(lo, most(from, spans[e].lo));
                            hi = most(hi, least(end, spans[e].hi));
                        }
                        if (lo >= hi) continue;
                        for (i64 e = c; e < c + some; e++) {
                            for (i64 j = lo - from; j < hi - from; j += EDGE) {
                                product(kn + j * wide, wide, qt + e * 16 * wide, 32, wide / 32, s + j * 32, 32, 0);
                                product(vn + j * wide_v, wide_v, dot + e * 16 * wide_v, 32, wide_v / 32, dp + j * 32,
                                        32, 0);
                            }
                            i64 lane = e * 32, place = (e - c) * 32;
                            if (cap)
                                weigh_bent(s, dp, known + lane, delta + lane, spans + e, from, lo, hi, factor, cap,
                                           p + place, ds + place, dsp);
                            else
                                weigh(s, dp, known + lane, delta + lane, spans + e, from, lo, hi, factor, 0, p + place,
                                      ds + place, dsp);
                            WRITTEN;
                            for (i64 j = 0; j < wide; j += EDGE)
                                product(kt + j * ld + lo - from, ld, dsp + (lo - from) * 16, 32, (hi - lo) / 32,
                                        dqs + e * 32 * wide + j * 32, 32, 1);
                        }
                        for (i64 j = lo - from; j < hi - from; j += EDGE) {
                            for (i64 o = 0; o < wide; o += EDGE)
                                product(ds + j * ld_p, ld_p, qp + c * 16 * wide + o, wide, some, dks + j * wide + o, wide, 1);
                            for (i64 o = 0; o < wide_v; o += EDGE)
                                product(p + j * ld_p, ld_p, dop + c * 16 * wide_v + o, wide_v, some,
                                        dvs + j * wide_v + o, wide_v, 1);
                        }
                    }
                    for (i64 i = 0; i < width; i++) {
                        float *to = dk + (answer[from + i] * kv + h) * d, *to_v = dvalue + (answer[from + i] * kv + h) * dv;
                        for (i64 j = 0; j < d; j += 16)
                            store_float(to + j, d - j,
                                        load_float(to + j, d - j) + load_float(dks + i * wide + j, 16) * factor);
                        for (i64 j = 0; j < dv; j += 16)
                            store_float(to_v + j, dv - j, load_float(to_v + j, dv - j) + load_float(dvs + i * wide_v + j, 16));
                    }
                }
                for (i64 c = 0; c < strips; c++) {
                    i64 i = c / group * 32, g = h * group + c % group;
                    put(dqs + c * 32 * wide, scale, ask + i, least(32, m - i), d, dq + g * d, dq_to);
                }
            }
        _tile_release();
    }
}

#endif
