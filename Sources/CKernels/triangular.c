/* Small triangular solves and Cholesky factors: the diagonal blocks of the blocked algorithms, whose rest is matrix
   products. Right-hand sides are packed so that each occupies one lane of a vector. */
#include "CKernels.h"

#include <math.h>

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif

#define N FENCHEL_BLOCK

/* Solves for LANES right-hand sides at a time, the last group padded with zeros. */
#define DEFINE_SOLVE(T, suffix, LANES)                                                                 \
  CLONES static void solve_##suffix##_##LANES(long n, long count, const T *l, long ld, int backward,   \
                                              T *b, long entry, long side) {                           \
    T x[N][LANES];                                                                                     \
    for (long first = 0; first < count; first += LANES) {                                              \
      long lanes = count - first < LANES ? count - first : LANES;                                      \
      T *start = b + first * side;                                                                     \
      for (long j = 0; j < n; j++)                                                                     \
        for (long r = 0; r < LANES; r++) x[j][r] = r < lanes ? start[j * entry + r * side] : (T)0;     \
      for (long step = 0; step < n; step++) {                                                          \
        long j = backward ? n - 1 - step : step;                                                       \
        const T *row = backward ? l + j : l + j * ld;                                                  \
        long stride = backward ? ld : 1;                                                               \
        T sum[LANES];                                                                                  \
        for (long r = 0; r < LANES; r++) sum[r] = x[j][r];                                             \
        for (long k = backward ? j + 1 : 0; k < (backward ? n : j); k++) {                             \
          T factor = row[k * stride];                                                                  \
          for (long r = 0; r < LANES; r++) sum[r] -= factor * x[k][r];                                 \
        }                                                                                              \
        T pivot = l[j * ld + j];                                                                       \
        for (long r = 0; r < LANES; r++) x[j][r] = sum[r] / pivot;                                     \
      }                                                                                                \
      for (long j = 0; j < n; j++)                                                                     \
        for (long r = 0; r < lanes; r++) start[j * entry + r * side] = x[j][r];                        \
    }                                                                                                  \
  }

#define DEFINE_TRIANGULAR(T, suffix, ROOT)                                                             \
  DEFINE_SOLVE(T, suffix, 32)                                                                          \
  DEFINE_SOLVE(T, suffix, 4)                                                                           \
  void fenchel_triangular_solve_##suffix(long n, long count, const T *l, long ld, int backward, T *b,  \
                                         long entry, long side) {                                      \
    long whole = count > 4 ? count : 0;                                                                \
    if (whole) solve_##suffix##_32(n, whole, l, ld, backward, b, entry, side);                         \
    if (count > whole) solve_##suffix##_4(n, count - whole, l, ld, backward, b, entry, side);          \
  }                                                                                                    \
  CLONES int fenchel_cholesky_##suffix(long n, T *a, long ld) {                                        \
    T x[N][N];                                                                                         \
    for (long j = 0; j < N; j++)                                                                       \
      for (long i = 0; i < N; i++) x[j][i] = i < n && j <= i ? a[i * ld + j] : (T)0;                   \
    for (long j = 0; j < n; j++) {                                                                     \
      long from = j & ~15L;                                                                            \
      for (long k = 0; k < j; k++) {                                                                   \
        T factor = x[k][j];                                                                            \
        for (long i = from; i < N; i++) x[j][i] -= factor * x[k][i];                                   \
      }                                                                                                \
      if (!(x[j][j] > 0)) return (int)j + 1;                                                           \
      T pivot = ROOT(x[j][j]);                                                                         \
      for (long i = from; i < N; i++) x[j][i] = i < j ? (T)0 : x[j][i] / pivot;                        \
    }                                                                                                  \
    for (long i = 0; i < n; i++)                                                                       \
      for (long j = 0; j <= i; j++) a[i * ld + j] = x[j][i];                                           \
    return 0;                                                                                          \
  }

DEFINE_TRIANGULAR(float, s, sqrtf)
DEFINE_TRIANGULAR(double, d, sqrt)
