/* exp and softplus over arrays: argument reduction to |r| <= ln 2 / 2, Taylor's polynomial to the last bit of the
   type, and the power of two put together from its bits. Branch-free, so that the loops vectorise. */
#include "CKernels.h"
#include "clones.h"

#include <string.h>

/* 2^(n-1) for n in -1021...1024 held in the low bits of `t` = n + 1.5 * 2^52. */
static inline double half_power_d(double t) {
  uint64_t bits;
  memcpy(&bits, &t, sizeof bits);
  bits = (bits + 1022) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

static inline float half_power_s(float t) {
  uint32_t bits;
  memcpy(&bits, &t, sizeof bits);
  bits = (bits + 126) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

/* Below the smallest normal number exp is taken as 0. */
static inline double exp_d(double x) {
  const double low = -708.0, high = 709.782712893384;
  double inside = x < low ? low : x > high ? high : x;
  double t = inside * 1.4426950408889634 + 0x1.8p52;
  double n = t - 0x1.8p52;
  double r = inside - n * 6.93147180369123816490e-01;
  r = r - n * 1.90821492927058770002e-10;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  double y = p * half_power_d(t) * 2.0;
  return x < low ? 0.0 : x > high ? __builtin_inf() : y;
}

static inline float exp_s(float x) {
  const float low = -87.0f, high = 88.72283f;
  float inside = x < low ? low : x > high ? high : x;
  float t = inside * 1.44269504f + 0x1.8p23f;
  float n = t - 0x1.8p23f;
  float r = inside - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  float y = p * half_power_s(t) * 2.0f;
  return x < low ? 0.0f : x > high ? __builtin_inff() : y;
}

/* log(1 + e) for e in [0, 1], as 2 artanh(e / (2 + e)); the argument is at most 1/3. */
static inline double log1p_d(double e) {
  double z = e / (2.0 + e);
  double kept = z > 1e-9 ? z : 0.0, q = kept * kept; /* a denormal square would cost 100 cycles */
  double p = 1.0 / 33.0;
  p = p * q + 1.0 / 31.0;
  p = p * q + 1.0 / 29.0;
  p = p * q + 1.0 / 27.0;
  p = p * q + 1.0 / 25.0;
  p = p * q + 1.0 / 23.0;
  p = p * q + 1.0 / 21.0;
  p = p * q + 1.0 / 19.0;
  p = p * q + 1.0 / 17.0;
  p = p * q + 1.0 / 15.0;
  p = p * q + 1.0 / 13.0;
  p = p * q + 1.0 / 11.0;
  p = p * q + 1.0 / 9.0;
  p = p * q + 1.0 / 7.0;
  p = p * q + 1.0 / 5.0;
  p = p * q + 1.0 / 3.0;
  return 2.0 * z + 2.0 * z * (p * q);
}

static inline float log1p_s(float e) {
  float z = e / (2.0f + e);
  float kept = z > 1e-5f ? z : 0.0f, q = kept * kept;
  float p = 1.0f / 15.0f;
  p = p * q + 1.0f / 13.0f;
  p = p * q + 1.0f / 11.0f;
  p = p * q + 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  return 2.0f * z + 2.0f * z * (p * q);
}

#define DEFINE_KERNELS(T, suffix)                                                                      \
  CLONES void fenchel_exp_##suffix(T *x, long count) {                                                 \
    for (long i = 0; i < count; i++) x[i] = exp_##suffix(x[i]);                                        \
  }                                                                                                    \
  CLONES void fenchel_softplus_##suffix(T *restrict x, T *restrict value, long count) {                 \
    for (long i = 0; i < count; i++) {                                                                 \
      T z = x[i];                                                                                      \
      T e = exp_##suffix(z < 0 ? z : -z);                                                              \
      T u = (T)1 / ((T)1 + e);                                                                         \
      value[i] = (z > 0 ? z : (T)0) + log1p_##suffix(e);                                               \
      x[i] = z >= 0 ? u : e * u;                                                                       \
    }                                                                                                  \
  }

DEFINE_KERNELS(float, s)
DEFINE_KERNELS(double, d)
