/* Products of a matrix and a vector so small that the call of a library would cost more than they do. */
#include "CKernels.h"
#include "clones.h"

#define LANES 8

#define DEFINE_PRODUCT(T, suffix)                                                                              \
  CLONES void fenchel_gemv_##suffix(long m, long n, T alpha, const T *restrict a, long lda,                    \
                                    const T *restrict x, T beta, T *restrict y) {                              \
    for (long i = 0; i < m; i++, a += lda) {                                                                   \
      T lane[LANES] = {0};                                                                                     \
      long j = 0;                                                                                              \
      for (; j + LANES <= n; j += LANES)                                                                       \
        for (int l = 0; l < LANES; l++) lane[l] += a[j + l] * x[j + l];                                        \
      T sum = 0;                                                                                               \
      for (; j < n; j++) sum += a[j] * x[j];                                                                   \
      for (int half = LANES / 2; half > 0; half /= 2)                                                          \
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];                                              \
      sum = alpha * (sum + lane[0]);                                                                           \
      y[i] = beta == 0 ? sum : beta * y[i] + sum;                                                              \
    }                                                                                                          \
  }                                                                                                            \
  CLONES void fenchel_gemv_transposed_##suffix(long m, long n, T alpha, const T *restrict a, long lda,         \
                                               const T *restrict x, T beta, T *restrict y) {                   \
    for (long j = 0; j < n; j++) y[j] = beta == 0 ? (T)0 : beta * y[j];                                        \
    for (long i = 0; i < m; i++, a += lda) {                                                                   \
      T factor = alpha * x[i];                                                                                 \
      for (long j = 0; j < n; j++) y[j] += factor * a[j];                                                      \
    }                                                                                                          \
  }

DEFINE_PRODUCT(float, s)
DEFINE_PRODUCT(double, d)
