/* Products of data with the weights of ReLU neurons, fused with the activation. Neurons lie in panels of 16 lanes:
   panel p holds d rows of 16 weights. No intermediate n × m matrix of numbers is written, only a byte a sign. */
#include "CKernels.h"
#include "clones.h"

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef double lanes __attribute__((vector_size(64)));
typedef double loose_lanes __attribute__((vector_size(64), aligned(8)));
typedef int64_t choice __attribute__((vector_size(64)));
typedef int8_t bytes __attribute__((vector_size(8), aligned(1)));

/* Vectors pass between inlined functions only. */
#pragma clang diagnostic ignored "-Wpsabi"

#define PANEL 16
#define ROWS 8     /* samples that share one pass over a panel */
#define FEATURES 8 /* features that share one pass over the samples */
#define CHUNK 8192 /* weights that stay in the first cache while samples pass */
#define BLOCK 12288 /* entries of x that stay in the second cache while panels and features pass */

INLINE lanes load(const double *p) { return *(const loose_lanes *)p; }
INLINE void store(double *p, lanes v) { *(loose_lanes *)p = v; }
INLINE lanes same(double x) { return (lanes){x, x, x, x, x, x, x, x}; }
INLINE lanes where(choice c, lanes v) { return (lanes)(c & (choice)v); }
INLINE double total(lanes v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); }
INLINE void keep_signs(int8_t *to, choice c) { *(bytes *)to = __builtin_convertvector(c, bytes); }
INLINE choice kept_signs(const int8_t *from) { return __builtin_convertvector(*(const bytes *)from, choice); }

/* Adds Σ_l a_l (x_kᵀw_l)₊ over the lanes of one panel to sums[k], for `rows` <= ROWS samples; keeps the signs. */
INLINE void activate(const double *x, long d, const double *w, const double *a, int8_t *signs, lanes *sums,
                     const int rows) {
  lanes low[ROWS], high[ROWS];
  for (int k = 0; k < rows; k++) low[k] = high[k] = same(0);
  for (long j = 0; j < d; j++) {
    lanes w_low = load(w + PANEL * j), w_high = load(w + PANEL * j + 8);
    for (int k = 0; k < rows; k++) {
      lanes value = same(x[k * d + j]);
      low[k] += value * w_low;
      high[k] += value * w_high;
    }
  }
  lanes a_low = load(a), a_high = load(a + 8);
  for (int k = 0; k < rows; k++) {
    choice on_low = low[k] > 0, on_high = high[k] > 0;
    sums[k] += where(on_low, low[k]) * a_low + where(on_high, high[k]) * a_high;
    keep_signs(signs + PANEL * k, on_low);
    keep_signs(signs + PANEL * k + 8, on_high);
  }
}

/* activate for panels first...last and samples k...k + rows - 1. */
INLINE void activate_chunk(const double *x, long n, long d, const double *w, const double *a,
                           const int32_t *output, long first, long last, long c, long k, double *f,
                           int8_t *signs, const int rows) {
  lanes sums[ROWS];
  for (int i = 0; i < rows; i++) sums[i] = same(0);
  for (long p = first; p < last; p++) {
    activate(x + k * d, d, w + p * d * PANEL, a + p * PANEL, signs + (p * n + k) * PANEL, sums, rows);
    if (p + 1 == last || output[p + 1] != output[p])
      for (int i = 0; i < rows; i++) {
        f[(k + i) * c + output[p]] += total(sums[i]);
        sums[i] = same(0);
      }
  }
}

WIDE_CLONES void fenchel_neurons_forward_d(const double *x, long n, long d, const double *w, const double *a,
                                      const int32_t *output, long panels, long c, double *f, int8_t *signs) {
  for (long i = 0; i < n * c; i++) f[i] = 0;
  long step = CHUNK / (PANEL * (d > 0 ? d : 1));
  if (step < 1) step = 1;
  for (long first = 0; first < panels; first += step) {
    long last = first + step < panels ? first + step : panels, k = 0;
    for (; k + ROWS <= n; k += ROWS)
      activate_chunk(x, n, d, w, a, output, first, last, c, k, f, signs, ROWS);
    for (; k < n; k++) activate_chunk(x, n, d, w, a, output, first, last, c, k, f, signs, 1);
  }
}

/* Row q of `image` <- (with `more`: +=) Σ_k r_k 1[sign_k] x_kq over the samples, for `count` features. */
INLINE void collect(const double *x, long n, long d, const double *r, long c, const int8_t *signs, int more,
                    double *image, const int count) {
  lanes low[FEATURES], high[FEATURES];
  for (int q = 0; q < count; q++) {
    low[q] = more ? load(image + PANEL * q) : same(0);
    high[q] = more ? load(image + PANEL * q + 8) : same(0);
  }
  for (long k = 0; k < n; k++) {
    lanes slope = same(r[k * c]);
    lanes s_low = where(kept_signs(signs + PANEL * k), slope);
    lanes s_high = where(kept_signs(signs + PANEL * k + 8), slope);
    for (int q = 0; q < count; q++) {
      lanes value = same(x[k * d + q]);
      low[q] += value * s_low;
      high[q] += value * s_high;
    }
  }
  for (int q = 0; q < count; q++) {
    store(image + PANEL * q, low[q]);
    store(image + PANEL * q + 8, high[q]);
  }
}

/* The images of one panel, over `rows` samples. */
INLINE void collect_panel(const double *x, long rows, long d, const double *r, long c, const int8_t *signs,
                          int more, double *images) {
  long blocks = (d + FEATURES - 1) / FEATURES;
  for (long b = 0; b < blocks; b++) {
    long first = b * d / blocks, count = (b + 1) * d / blocks - first;
    switch (count) {
#define CASE(k) \
  case k: collect(x + first, rows, d, r, c, signs, more, images + first * PANEL, k); break;
      CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
      default: collect(x + first, rows, d, r, c, signs, more, images + first * PANEL, 8);
    }
  }
}

WIDE_CLONES void fenchel_neurons_backward_d(const double *x, long n, long d, const double *r, const int32_t *output,
                                       long panels, long c, const int8_t *signs, double *images) {
  long step = BLOCK / (d > 0 ? d : 1);
  if (step < ROWS) step = ROWS;
  for (long k = 0; k < n || k == 0; k += step) {
    long rows = k + step < n ? step : n - k;
    for (long p = 0; p < panels; p++)
      collect_panel(x + k * d, rows, d, r + k * c + output[p], c, signs + (p * n + k) * PANEL, k > 0,
                    images + p * d * PANEL);
  }
}

/* One sweep of coordinate descent on |c - Σ_i α_i y_i|² over 0 <= α_i <= 1, for the 16 lanes of a panel at once, with
   `rest` = c - Σ_i α_i y_i kept up to date. Returns the largest |step_i| |y_i| / |rest at the start|. */
WIDE_CLONES double fenchel_box_sweep_d(const double *y, const double *squares, long n, long d, double *alpha, double *rest) {
  lanes norm_low = same(0), norm_high = same(0), moved_low = same(0), moved_high = same(0);
  for (long j = 0; j < d; j++) {
    lanes low = load(rest + PANEL * j), high = load(rest + PANEL * j + 8);
    norm_low += low * low;
    norm_high += high * high;
  }
  for (long i = 0; i < n; i++) {
    if (!(squares[i] > 0)) continue;
    const double *row = y + i * d;
    lanes low[4] = {same(0), same(0), same(0), same(0)}, high[4] = {same(0), same(0), same(0), same(0)};
    long j = 0;
    for (; j + 4 <= d; j += 4)
      for (int q = 0; q < 4; q++) {
        low[q] += same(row[j + q]) * load(rest + PANEL * (j + q));
        high[q] += same(row[j + q]) * load(rest + PANEL * (j + q) + 8);
      }
    for (; j < d; j++) {
      low[0] += same(row[j]) * load(rest + PANEL * j);
      high[0] += same(row[j]) * load(rest + PANEL * j + 8);
    }
    lanes inverse = same(1 / squares[i]), zero = same(0), one = same(1);
    lanes old_low = load(alpha + PANEL * i), old_high = load(alpha + PANEL * i + 8);
    lanes new_low = old_low + inverse * ((low[0] + low[1]) + (low[2] + low[3]));
    lanes new_high = old_high + inverse * ((high[0] + high[1]) + (high[2] + high[3]));
    new_low = where(new_low > zero, new_low), new_high = where(new_high > zero, new_high);
    new_low = one - where(one > new_low, one - new_low), new_high = one - where(one > new_high, one - new_high);
    lanes step_low = new_low - old_low, step_high = new_high - old_high;
    store(alpha + PANEL * i, new_low);
    store(alpha + PANEL * i + 8, new_high);
    for (j = 0; j < d; j++) {
      store(rest + PANEL * j, load(rest + PANEL * j) - same(row[j]) * step_low);
      store(rest + PANEL * j + 8, load(rest + PANEL * j + 8) - same(row[j]) * step_high);
    }
    lanes size_low = step_low * step_low * same(squares[i]), size_high = step_high * step_high * same(squares[i]);
    moved_low = moved_low + where(size_low > moved_low, size_low - moved_low);
    moved_high = moved_high + where(size_high > moved_high, size_high - moved_high);
  }
  double largest = 0;
  for (int l = 0; l < 8; l++) {
    double low = norm_low[l] > 0 ? moved_low[l] / norm_low[l] : 0;
    double high = norm_high[l] > 0 ? moved_high[l] / norm_high[l] : 0;
    if (low > largest) largest = low;
    if (high > largest) largest = high;
  }
  return __builtin_sqrt(largest);
}
