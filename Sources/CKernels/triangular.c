/* Small triangular solves and Cholesky factors: the diagonal blocks of the blocked algorithms, whose rest is matrix
   products. Right-hand sides are packed so that each occupies one lane of a vector. */
#include "CKernels.h"
#include "clones.h"

#include <math.h>
#include <string.h>

#define N FENCHEL_BLOCK

/* Solves for LANES right-hand sides at a time, the last group padded with zeros. The backward solve is a forward
   one with unknowns and equations in reversed order. Four unknowns at a time take off the products with all
   before them, so that each load of x serves four. */
#define DEFINE_SOLVE(T, suffix, LANES)                                                                 \
  CLONES static void solve_##suffix##_##LANES(long n, long count, const T *l, long ld, int backward,   \
                                              T *b, long entry, long side) {                           \
    T x[N][LANES], row[N][N], reciprocal[N];                                                           \
    for (long i = 0; i < n; i++)                                                                       \
      for (long k = 0; k <= i; k++)                                                                    \
        if (backward) row[n - 1 - k][n - 1 - i] = l[i * ld + k];                                       \
        else row[i][k] = l[i * ld + k];                                                                \
    for (long j = 0; j < n; j++) reciprocal[j] = (T)1 / row[j][j];                                     \
    T *origin = backward ? b + (n - 1) * entry : b;                                                    \
    long step = backward ? -entry : entry;                                                             \
    for (long first = 0; first < count; first += LANES) {                                              \
      long lanes = count - first < LANES ? count - first : LANES;                                      \
      T *start = origin + first * side;                                                                \
      if (lanes < LANES) memset(x, 0, sizeof x);                                                       \
      for (long j = 0; j < n; j++)                                                                     \
        for (long r = 0; r < lanes; r++) x[j][r] = start[j * step + r * side];                         \
      long j = 0;                                                                                      \
      for (; j + 4 <= n; j += 4) {                                                                     \
        T sum[4][LANES];                                                                               \
        for (int q = 0; q < 4; q++)                                                                    \
          for (long r = 0; r < LANES; r++) sum[q][r] = x[j + q][r];                                    \
        for (long k = 0; k < j; k++)                                                                   \
          for (int q = 0; q < 4; q++)                                                                  \
            for (long r = 0; r < LANES; r++) sum[q][r] -= row[j + q][k] * x[k][r];                     \
        for (int q = 0; q < 4; q++) {                                                                  \
          for (int p = 0; p < q; p++)                                                                  \
            for (long r = 0; r < LANES; r++) sum[q][r] -= row[j + q][j + p] * sum[p][r];               \
          for (long r = 0; r < LANES; r++) sum[q][r] *= reciprocal[j + q];                             \
        }                                                                                              \
        for (int q = 0; q < 4; q++)                                                                    \
          for (long r = 0; r < LANES; r++) x[j + q][r] = sum[q][r];                                    \
      }                                                                                                \
      for (; j < n; j++) {                                                                             \
        for (long k = 0; k < j; k++)                                                                   \
          for (long r = 0; r < LANES; r++) x[j][r] -= row[j][k] * x[k][r];                             \
        for (long r = 0; r < LANES; r++) x[j][r] *= reciprocal[j];                                     \
      }                                                                                                \
      for (long j = 0; j < n; j++)                                                                     \
        for (long r = 0; r < lanes; r++) start[j * step + r * side] = x[j][r];                         \
    }                                                                                                  \
  }

#define DEFINE_TRIANGULAR(T, suffix, ROOT)                                                             \
  DEFINE_SOLVE(T, suffix, 16)                                                                          \
  DEFINE_SOLVE(T, suffix, 4)                                                                           \
  void fenchel_triangular_solve_##suffix(long n, long count, const T *l, long ld, int backward, T *b,  \
                                         long entry, long side) {                                      \
    if (count > 4)                                                                                     \
      solve_##suffix##_16(n, count, l, ld, backward, b, entry, side);                                  \
    else                                                                                               \
      solve_##suffix##_4(n, count, l, ld, backward, b, entry, side);                                   \
  }                                                                                                    \
  /* Column j is computed from the columns k < j, 16 rows at a time (rows above j come along unused). */ \
  CLONES int fenchel_cholesky_##suffix(long n, T *a, long ld) {                                        \
    T x[N][N];                                                                                         \
    memset(x, 0, sizeof x);                                                                            \
    for (long i = 0; i < n; i++)                                                                       \
      for (long j = 0; j <= i; j++) x[j][i] = a[i * ld + j];                                           \
    for (long j = 0; j < n; j++) {                                                                     \
      for (long from = j & ~15L; from < n; from += 16) {                                               \
        T sum[16];                                                                                     \
        for (long r = 0; r < 16; r++) sum[r] = x[j][from + r];                                         \
        for (long k = 0; k < j; k++)                                                                   \
          for (long r = 0; r < 16; r++) sum[r] -= x[k][j] * x[k][from + r];                            \
        for (long r = 0; r < 16; r++) x[j][from + r] = sum[r];                                         \
      }                                                                                                \
      if (!(x[j][j] > 0)) return (int)j + 1;                                                           \
      T pivot = ROOT(x[j][j]), reciprocal = (T)1 / pivot;                                              \
      for (long i = j & ~15L; i < N; i++) x[j][i] = i < j ? (T)0 : x[j][i] * reciprocal;               \
      x[j][j] = pivot;                                                                                 \
    }                                                                                                  \
    for (long i = 0; i < n; i++)                                                                       \
      for (long j = 0; j <= i; j++) a[i * ld + j] = x[j][i];                                           \
    return 0;                                                                                          \
  }

DEFINE_TRIANGULAR(float, s, sqrtf)
DEFINE_TRIANGULAR(double, d, sqrt)
