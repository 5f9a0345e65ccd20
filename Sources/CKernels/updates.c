/* Steps of first-order methods on the weights of one layer: one pass that reads the old weights, the gradient and the
   moments, and writes the new ones. `out` may not overlap `w`. Each returns whether all new weights are finite. */
#include "CKernels.h"
#include "clones.h"

#define ABS(x) __builtin_elementwise_abs(x)
#define ROOT(x) __builtin_elementwise_sqrt(x)

#define DEFINE_KERNELS(T, U, LARGEST, suffix)                                                          \
  CLONES int fenchel_descend_##suffix(long count, T rate, T decay, const T *restrict w,                \
                                      const T *restrict g, T *restrict out) {                          \
    U bad = 0;                                                                                         \
    for (long i = 0; i < count; i++) {                                                                 \
      out[i] = w[i] - rate * (g[i] + decay * w[i]);                                                    \
      bad |= (U)(!(ABS(out[i]) <= LARGEST));                                                           \
    }                                                                                                  \
    return bad == 0;                                                                                   \
  }                                                                                                    \
  CLONES int fenchel_momentum_##suffix(long count, T rate, T decay, T friction, const T *restrict w,   \
                                       const T *restrict g, T *restrict velocity, T *restrict out) {   \
    U bad = 0;                                                                                         \
    for (long i = 0; i < count; i++) {                                                                 \
      T v = friction * velocity[i] + (g[i] + decay * w[i]);                                            \
      velocity[i] = v;                                                                                 \
      out[i] = w[i] - rate * v;                                                                        \
      bad |= (U)(!(ABS(out[i]) <= LARGEST));                                                           \
    }                                                                                                  \
    return bad == 0;                                                                                   \
  }                                                                                                    \
  CLONES int fenchel_scaled_##suffix(long count, T rate, T decay, T keep, T take, T epsilon,                 \
                                     const T *restrict w, const T *restrict g, T *restrict square,     \
                                     T *restrict out) {                                                \
    U bad = 0;                                                                                         \
    for (long i = 0; i < count; i++) {                                                                 \
      T slope = g[i] + decay * w[i];                                                                   \
      T s = keep * square[i] + take * slope * slope;                                                   \
      square[i] = s;                                                                                   \
      out[i] = w[i] - rate * slope / (ROOT(s) + epsilon);                                                    \
      bad |= (U)(!(ABS(out[i]) <= LARGEST));                                                           \
    }                                                                                                  \
    return bad == 0;                                                                                   \
  }                                                                                                    \
  CLONES int fenchel_adam_##suffix(long count, T rate, T decay, T keep1, T keep2, T root, T epsilon,         \
                                   const T *restrict w, const T *restrict g, T *restrict mean,         \
                                   T *restrict square, T *restrict out) {                              \
    U bad = 0;                                                                                         \
    T take1 = (T)1 - keep1, take2 = (T)1 - keep2;                                                      \
    for (long i = 0; i < count; i++) {                                                                 \
      T slope = g[i] + decay * w[i];                                                                   \
      T m = keep1 * mean[i] + take1 * slope;                                                           \
      T s = keep2 * square[i] + take2 * slope * slope;                                                 \
      mean[i] = m;                                                                                     \
      square[i] = s;                                                                                   \
      out[i] = w[i] - rate * m / (ROOT(s) * root + epsilon);                                                 \
      bad |= (U)(!(ABS(out[i]) <= LARGEST));                                                           \
    }                                                                                                  \
    return bad == 0;                                                                                   \
  }

DEFINE_KERNELS(float, uint32_t, 0x1.fffffep127f, s)
DEFINE_KERNELS(double, uint64_t, 0x1.fffffffffffffp1023, d)
