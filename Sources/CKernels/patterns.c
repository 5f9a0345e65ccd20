/* Kernels on activation patterns kept as bits, 64 to a word, least significant bit first. */
#include "CKernels.h"
#include "clones.h"

#include <string.h>

#define WORD 64
#define HALF 32

typedef float float16 __attribute__((ext_vector_type(16)));
typedef double double16 __attribute__((ext_vector_type(16)));
typedef int int16 __attribute__((ext_vector_type(16)));
typedef long long16 __attribute__((ext_vector_type(16)));
typedef _Bool bool16 __attribute__((ext_vector_type(16)));

/* Lanes of as many bits as T (type U): bit j of a word is tested in lane j against a constant. */
#define DEFINE_KERNELS(T, U, V, I, suffix)                                                             \
  enum { WIDTH_##suffix = 8 * sizeof(T) };                                                             \
  CLONES T fenchel_masked_sum_##suffix(const T *z, const uint64_t *bits, long count) {                 \
    T lane[WORD] = {0};                                                                                \
    long i = 0;                                                                                        \
    for (; i + WORD <= count; i += WORD) {                                                             \
      uint64_t word = bits[i / WORD];                                                                  \
      for (int part = 0; part < WORD; part += WIDTH_##suffix) {                                        \
        U piece = (U)(word >> part);                                                                   \
        for (int j = 0; j < WIDTH_##suffix; j++)                                                       \
          lane[part + j] += piece & ((U)1 << j) ? z[i + part + j] : (T)0;                              \
      }                                                                                                \
    }                                                                                                  \
    for (int j = 0; i < count; i++, j++) lane[j] += (bits[i / WORD] >> j) & 1 ? z[i] : (T)0;           \
    for (int half = WORD / 2; half > 0; half /= 2)                                                     \
      for (int j = 0; j < half; j++) lane[j] += lane[j + half];                                        \
    return lane[0];                                                                                    \
  }                                                                                                    \
  CLONES void fenchel_masked_fill_##suffix(T *z, const uint64_t *bits, long count, T value) {          \
    long i = 0;                                                                                        \
    for (; i + WORD <= count; i += WORD) {                                                             \
      uint64_t word = bits[i / WORD];                                                                  \
      for (int part = 0; part < WORD; part += WIDTH_##suffix) {                                        \
        U piece = (U)(word >> part);                                                                   \
        for (int j = 0; j < WIDTH_##suffix; j++)                                                       \
          z[i + part + j] = piece & ((U)1 << j) ? value : (T)0;                                        \
      }                                                                                                \
    }                                                                                                  \
    for (; i < count; i++) z[i] = (bits[i / WORD] >> (i % WORD)) & 1 ? value : (T)0;                   \
  }                                                                                                    \
  CLONES void fenchel_sign_bits_##suffix(const T *z, uint64_t *bits, long count) {                     \
    long i = 0;                                                                                        \
    for (; i + WORD <= count; i += WORD) {                                                             \
      uint16_t part[4];                                                                                \
      for (int j = 0; j < 4; j++) {                                                                    \
        V v;                                                                                           \
        memcpy(&v, z + i + 16 * j, sizeof v);                                                          \
        bool16 sign = __builtin_convertvector((I)(v > (T)0), bool16);                                  \
        memcpy(part + j, &sign, sizeof *part);                                                         \
      }                                                                                                \
      bits[i / WORD] =                                                                                 \
          part[0] | (uint64_t)part[1] << 16 | (uint64_t)part[2] << 32 | (uint64_t)part[3] << 48;       \
    }                                                                                                  \
    if (i == count) return;                                                                            \
    uint64_t word = 0;                                                                                 \
    for (long j = 0; i + j < count; j++) word |= (uint64_t)(z[i + j] > 0) << j;                        \
    bits[i / WORD] = word;                                                                             \
  }                                                                                                    \
  CLONES void fenchel_masked_add_##suffix(T *sum, const T *z, const uint64_t *bits, long count) {        \
    long i = 0;                                                                                        \
    for (; i + HALF <= count; i += HALF) {                                                             \
      uint32_t half = (uint32_t)(bits[i / WORD] >> (i % WORD));                                        \
      for (int j = 0; j < HALF; j++) sum[i + j] += half & (1u << j) ? z[i + j] : (T)0;                 \
    }                                                                                                  \
    for (; i < count; i++) sum[i] += (bits[i / WORD] >> (i % WORD)) & 1 ? z[i] : (T)0;                 \
  }                                                                                                    \
  CLONES void fenchel_masked_copy_##suffix(T *target, const T *z, const uint64_t *bits, long count) {    \
    long i = 0;                                                                                        \
    for (; i + HALF <= count; i += HALF) {                                                             \
      uint32_t half = (uint32_t)(bits[i / WORD] >> (i % WORD));                                        \
      for (int j = 0; j < HALF; j++) target[i + j] = half & (1u << j) ? z[i + j] : (T)0;               \
    }                                                                                                  \
    for (; i < count; i++) target[i] = (bits[i / WORD] >> (i % WORD)) & 1 ? z[i] : (T)0;               \
  }                                                                                                    \
  CLONES void fenchel_multiply_##suffix(const T *x, T *y, long count) {                                  \
    for (long i = 0; i < count; i++) y[i] *= x[i];                                                     \
  }                                                                                                    \
  CLONES int fenchel_any_within_##suffix(const T *z, const T *bound, T scale, long count) {            \
    int found = 0;                                                                                     \
    for (long i = 0; i < count; i++) found |= !((z[i] < 0 ? -z[i] : z[i]) > scale * bound[i]);         \
    return found;                                                                                      \
  }

DEFINE_KERNELS(float, uint32_t, float16, int16, s)
DEFINE_KERNELS(double, uint64_t, double16, long16, d)
