/* What low-rank adapters take from the gradient by their layers' outcome, on a processor's matrix tiles (Intel AMX): two
   products with few columns, which have less to compute than to read, with every row read once.

   Called by `low_rank.py`, which holds the same in PyTorch. */

#include "vectors.h"

#if defined __AMX_BF16__ && defined __AVX512BF16__

#include "tiles.h"

#define TALL 64   /* rows of x at once */
#define BROAD 256 /* and columns: 32 KB of it */

/* Rows whose sums for `outer` are added up by themselves: n alone says how many, so that threads change nothing. */
static i64 share_of(i64 n) { return up(least(8 * TALL, most(TALL, (n + 3) / 4))); }
static i64 shares_of(i64 n) { return (n + share_of(n) - 1) / share_of(n); }

typedef struct { bf16 *left; uint32_t *right; float *sums; char *own; i64 size, each; } Low;

static Low low_room(void *start, i64 n, i64 width, i64 ranks, i64 threads) {
    Room room = {(uintptr_t)start};
    Low low = {.left = take(&room, n * ranks * 2), .right = take(&room, width * ranks * 2)};
    low.sums = take(&room, shares_of(n) * ranks * width * 4);
    low.each = TALL * BROAD * 2 + TALL * ranks * 4;
    low.own = take(&room, low.each * threads);
    low.size = room.used;
    return low;
}

static inline i64 tiles_of(i64 n) { return (n + 15) / 16 * 16; }

/* Bytes that a call works in. */
i64 low_rank_room(i64 n, i64 width, i64 r, i64 threads) { return low_room(0, n, width, tiles_of(r), threads).size; }

/* 16 numbers at x, and 16 at y, in pairs; those from `left` on are zeros. */
static inline __m512i paired_rows(const bf16 *x, const bf16 *y, i64 left) {
    __mmask16 real = left >= 16 ? 0xffff : (1 << left) - 1;
    __m512i even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(real, x));
    __m512i odd = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(real, y));
    return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

/* Rows i to i + 32 of right [width, r] as pairs y [width / 2, ranks]. */
static void pack_right(const bf16 *right, i64 i, i64 r, i64 ranks, uint32_t *y) {
    for (i64 k = i; k < i + 32; k += 2)
        for (i64 j = 0; j < ranks; j += 16)
            _mm512_storeu_si512(y + k / 2 * ranks + j, paired_rows(right + k * r + j, right + (k + 1) * r + j, r - j));
}

/* Rows i to i + 32 of left [n, r] as columns of y [ranks, n]. */
static void turn_left(const bf16 *left, i64 i, i64 n, i64 r, i64 ranks, bf16 *y) {
    for (i64 j = 0; j < ranks; j += 16) {
        __m512i row[16];
        for (i64 k = 0; k < 16; k++) {
            const bf16 *at = left + (i + 2 * k) * r + j;
            row[k] = paired_rows(at, at + r, r - j);
        }
        turn_words(row);
        for (i64 k = 0; k < 16; k++) _mm512_storeu_si512(y + (j + k) * n + i, row[k]);
    }
}

/* Columns that have to do with few of the ranks: those of one of `members` layers side by side. Which ranks those from
   j on have, as whole tiles. */
static void ranks_at(i64 j, i64 width, i64 ranks, const i64 *columns, const i64 *ends, i64 members, i64 *lo, i64 *hi) {
    *lo = 0;
    *hi = ranks;
    for (i64 m = 0, column = 0, rank = 0; m < members; column = columns[m], rank = ends[m], m++) {
        if (j >= column && j < columns[m]) *lo = rank / 16 * 16;
        if (least(j + BROAD, width) > column && least(j + BROAD, width) <= columns[m]) *hi = tiles_of(ends[m]);
    }
}

/* Products of a block with at most 32 ranks, those of a tile or of two: c [32, ranks] += a b, and c [ranks, 32]. */
static inline void by_columns(i64 ranks, const bf16 *a, i64 lda, const uint32_t *b, i64 ldb, i64 steps, float *c) {
    if (ranks > 16) multiply(2, 2, a, lda, b, ldb, steps, c, ldb, 1);
    else multiply(2, 1, a, lda, b, ldb, steps, c, ldb, 1);
}
static inline void by_rows(i64 ranks, const bf16 *a, i64 lda, const uint32_t *b, i64 steps, float *c, i64 ldc, int more) {
    if (ranks > 16) multiply(2, 2, a, lda, b, BROAD, steps, c, ldc, more);
    else multiply(1, 2, a, lda, b, BROAD, steps, c, ldc, more);
}

/* outer [r, width] = left' x times scales [r], of left [n, r] and x [n, width], whose rows are `from` apart; and, unless
   these are null, out [n, r] = x right, of right [width, r]. n and width are 32s. Of `members` layers side by side, which
   end before `columns` and `ends` of the ranks, each has to do with its own ranks alone: right is zero elsewhere, and so
   is outer. */
void low_rank(const bf16 *x, i64 from, const bf16 *right, const bf16 *left, const float *scales, bf16 *out, float *outer,
              const i64 *columns, const i64 *ends, i64 members, i64 n, i64 width, i64 r, char *memory, int threads) {
    i64 ranks = tiles_of(r), share = share_of(n), shares = shares_of(n);
    Low low = low_room(memory, n, width, ranks, threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        begin_tiles();
        uint32_t *pairs = (void *)(low.own + omp_get_thread_num() * low.each);
        float *made = (void *)(pairs + TALL / 2 * BROAD);
#pragma omp for schedule(static) nowait
        for (i64 i = 0; i < width; i += 32)
            if (right) pack_right(right, i, r, ranks, low.right);
#pragma omp for schedule(static)
        for (i64 i = 0; i < n; i += 32) turn_left(left, i, n, r, ranks, low.left);
        WRITTEN;
#pragma omp for schedule(static)
        for (i64 s = 0; s < shares; s++) {
            float *sum = low.sums + s * ranks * width;
            for (i64 i = s * share; i < least(n, (s + 1) * share); i += TALL) {
                i64 tall = least(TALL, least(n, (s + 1) * share) - i), first = i == s * share, lo, hi;
                memset(made, 0, tall * ranks * 4);
                WRITTEN;
                for (i64 j = 0; j < width; j += BROAD) {
                    i64 broad = least(BROAD, width - j);
                    const bf16 *here = x + i * from + j;
                    ranks_at(j, width, ranks, columns, ends, members, &lo, &hi);
                    for (i64 k = 0; k < tall; k += 2)
                        for (i64 c = 0; c < broad; c += 16)
                            _mm512_storeu_si512(pairs + k / 2 * BROAD + c,
                                                paired_rows(here + k * from + c, here + (k + 1) * from + c, 16));
                    WRITTEN;
                    for (i64 t = lo; t < hi; t += 32) {
                        for (i64 k = 0; right && k < tall; k += 32)
                            by_columns(hi - t, here + k * from, from, low.right + j / 2 * ranks + t, ranks, broad / 32,
                                       made + k * ranks + t);
                        for (i64 c = 0; c < broad; c += 32) {
                            for (i64 k = 0; k < tall; k++) /* what comes next, while there is something to compute */
                                __builtin_prefetch(here + k * from + BROAD + c, 0, 2);
                            by_rows(hi - t, low.left + t * n + i, n, pairs + c, tall / 32, sum + t * width + j + c, width,
                                    !first);
                        }
                    }
                }
                WRITTEN;
                for (i64 k = 0; right && k < tall; k++)
                    for (i64 t = 0; t < r; t += 16)
                        store_bf16(out + (i + k) * r + t, r - t, load_float(made + k * ranks + t, 16));
            }
        }
#pragma omp for schedule(static)
        for (i64 j = 0; j < width; j += BROAD) {
            i64 lo, hi;
            ranks_at(j, width, ranks, columns, ends, members, &lo, &hi);
            for (i64 t = 0; t < r; t++)
                for (i64 c = j; c < least(j + BROAD, width); c += 16) {
                    vec sum = {0};
                    for (i64 s = 0; t >= lo && t < hi && s < shares; s++)
                        sum += load_float(low.sums + (s * ranks + t) * width + c, 16);
                    store_float(outer + t * width + c, 16, sum * scales[t]);
                }
        }
        _tile_release();
    }
}

#endif
