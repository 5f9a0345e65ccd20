/* Compensated sums: eight lanes, each a running sum and the exact sum of its rounding errors. No contraction:
   the error terms need every operation as written. */
#include "CKernels.h"
#include "clones.h"

#include <math.h>

#pragma STDC FP_CONTRACT OFF

#define LANES 8

/* s + x without error is sum + error (Knuth's two-sum). */
#define ADD(s, c, x)                                                                                   \
  do {                                                                                                 \
    double total = (s) + (x), part = total - (s);                                                      \
    (c) += ((s) - (total - part)) + ((x) - part);                                                      \
    (s) = total;                                                                                       \
  } while (0)

/* Adds the lanes in order. */
static double collect(const double *sum, const double *error) {
  double s = 0, c = 0;
  for (int j = 0; j < LANES; j++) ADD(s, c, sum[j]);
  for (int j = 0; j < LANES; j++) c += error[j];
  return isfinite(s) ? s + c : s;
}

CLONES double fenchel_compensated_sum(const double *x, long count) {
  double sum[LANES] = {0}, error[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int j = 0; j < LANES; j++) ADD(sum[j], error[j], x[i + j]);
  for (int j = 0; i < count; i++, j++) ADD(sum[j], error[j], x[i]);
  return collect(sum, error);
}

#define DEFINE_DOT(T, name)                                                                            \
  CLONES double name(const T *x, const double *y, long count) {                                        \
    double sum[LANES] = {0}, error[LANES] = {0};                                                       \
    long i = 0;                                                                                        \
    for (; i + LANES <= count; i += LANES)                                                             \
      for (int j = 0; j < LANES; j++) {                                                                \
        double factor = (double)x[i + j], product = factor * y[i + j];                                 \
        error[j] += fma(factor, y[i + j], -product);                                                   \
        ADD(sum[j], error[j], product);                                                                \
      }                                                                                                \
    for (int j = 0; i < count; i++, j++) {                                                             \
      double factor = (double)x[i], product = factor * y[i];                                           \
      error[j] += fma(factor, y[i], -product);                                                         \
      ADD(sum[j], error[j], product);                                                                  \
    }                                                                                                  \
    return collect(sum, error);                                                                        \
  }

DEFINE_DOT(double, fenchel_compensated_dot)
DEFINE_DOT(float, fenchel_compensated_dot_mixed)
