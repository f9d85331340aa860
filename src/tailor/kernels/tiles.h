/* Products of blocks on a processor's matrix tiles (Intel AMX), and what brings rows into the order that tiles want.

   Included by the files that use them, where the compiler has them. */

#ifndef TILES
#define TILES

#include "vectors.h"

#include <omp.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EDGE 32 /* rows and columns of a block of a product: two tiles each way */

static inline i64 up(i64 n) { return (n + EDGE - 1) / EDGE * EDGE; }
static inline i64 least(i64 a, i64 b) { return a < b ? a : b; }
static inline i64 most(i64 a, i64 b) { return a > b ? a : b; }

static void begin_tiles(void) { /* constant, because compilers are not told that all of it is read */
    static const struct { uint8_t palette, start, none[14]; uint16_t bytes[16]; uint8_t rows[16]; } shape = {
        1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&shape);
}

/* What a thread works in is cut from memory that the caller gave; without any it is only counted. */
typedef struct { uintptr_t start, used; } Room;

static void *take(Room *room, i64 size) {
    uintptr_t at = room->start + room->used;
    room->used += (size + 63) / 64 * 64;
    return (void *)at;
}

/* GCC does not know that loading a tile reads memory: after this, all that was written is there. */
#define WRITTEN __asm__ volatile("" ::: "memory")

/* c [16 * high, 16 * broad] = a [16 * high, 32 * steps] b, or c += where `more`; high and broad are 1 or 2, and constants.
   b holds pairs of its rows: b[i][j] is (row 2i, row 2i + 1) of column j. */
ALWAYS void multiply(int high, int broad, const bf16 *a, i64 lda, const uint32_t *b, i64 ldb, i64 steps, float *c, i64 ldc,
                     int more) {
    float *below = c + 16 * ldc;
    if (more) {
        _tile_loadd(0, c, ldc * 4);
        if (broad > 1) _tile_loadd(1, c + 16, ldc * 4);
        if (high > 1) _tile_loadd(2, below, ldc * 4);
        if (high > 1 && broad > 1) _tile_loadd(3, below + 16, ldc * 4);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (i64 s = 0; s < steps; s++) {
        _tile_loadd(4, a + 32 * s, lda * 2);
        _tile_loadd(6, b + 16 * s * ldb, ldb * 4);
        if (broad > 1) _tile_loadd(7, b + 16 * s * ldb + 16, ldb * 4);
        if (high > 1) _tile_loadd(5, a + 16 * lda + 32 * s, lda * 2);
        _tile_dpbf16ps(0, 4, 6);
        if (broad > 1) _tile_dpbf16ps(1, 4, 7);
        if (high > 1) _tile_dpbf16ps(2, 5, 6);
        if (high > 1 && broad > 1) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, ldc * 4);
    if (broad > 1) _tile_stored(1, c + 16, ldc * 4);
    if (high > 1) _tile_stored(2, below, ldc * 4);
    if (high > 1 && broad > 1) _tile_stored(3, below + 16, ldc * 4);
}

/* The same of a whole block: c [32, 32]. */
static inline void product(const bf16 *a, i64 lda, const uint32_t *b, i64 ldb, i64 steps, float *c, i64 ldc, int more) {
    multiply(2, 2, a, lda, b, ldb, steps, c, ldc, more);
}

/* row[j][i] becomes row[i][j], 16 by 16 words: blocks of 8, 4, 2 and 1 change places. */
static inline void turn_words(__m512i row[16]) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
#pragma GCC unroll 4
    for (int size = 8; size; size /= 2) {
        __mmask16 second = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(size));
        __m512i to_first = _mm512_mask_add_epi32(lane, second, lane, _mm512_set1_epi32(16 - size));
        __m512i to_second = _mm512_mask_add_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(size)), second, lane,
                                                  _mm512_set1_epi32(16));
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            if (!(i & size)) {
                __m512i a = row[i], b = row[i + size];
                row[i] = _mm512_permutex2var_epi32(a, to_first, b);
                row[i + size] = _mm512_permutex2var_epi32(a, to_second, b);
            }
    }
}

/* y[j][i] = x[i][j] of 16 by 16 words. */
static inline void transpose(const uint32_t *x, i64 ldx, uint32_t *y, i64 ldy) {
    __m512i row[16];
    for (int i = 0; i < 16; i++) row[i] = _mm512_loadu_si512(x + i * ldx);
    turn_words(row);
    for (int i = 0; i < 16; i++) _mm512_storeu_si512(y + i * ldy, row[i]);
}

/* x [n, width] in pairs of rows, y [n / 2, width]. */
static void pair(const bf16 *x, i64 n, i64 width, uint32_t *y) {
    for (i64 i = 0; i < n; i += 2)
        for (i64 j = 0; j < width; j += 16) {
            const bf16 *a = x + i * width + j;
            __m512i first = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)a));
            __m512i second = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(a + width)));
            _mm512_storeu_si512(y + i / 2 * width + j, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
        }
}

/* x [n, width] transposed, y [width, n] with rows `to` apart; `pairs` [16, width] is memory for what comes between. */
static void turn(const bf16 *x, i64 n, i64 width, uint32_t *pairs, bf16 *y, i64 to) {
    for (i64 i = 0; i < n; i += 32) {
        pair(x + i * width, 32, width, pairs);
        for (i64 j = 0; j < width; j += 16) transpose(pairs + j, width, (uint32_t *)(y + j * to + i), to / 2);
    }
}

#endif
