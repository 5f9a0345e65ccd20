/* Kernels on activation patterns kept as bits, 64 to a word, least significant bit first. */
#include "CKernels.h"

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif

#define WORD 64

#define DEFINE_KERNELS(T, suffix)                                                                      \
  CLONES T fenchel_masked_sum_##suffix(const T *z, const uint64_t *bits, long count) {                 \
    T lane[WORD] = {0};                                                                                \
    long i = 0;                                                                                        \
    for (; i + WORD <= count; i += WORD) {                                                             \
      uint64_t word = bits[i / WORD];                                                                  \
      for (int j = 0; j < WORD; j++) lane[j] += (word >> j) & 1 ? z[i + j] : (T)0;                     \
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
      for (int j = 0; j < WORD; j++) z[i + j] = (word >> j) & 1 ? value : (T)0;                        \
    }                                                                                                  \
    for (; i < count; i++) z[i] = (bits[i / WORD] >> (i % WORD)) & 1 ? value : (T)0;                   \
  }                                                                                                    \
  CLONES void fenchel_sign_bits_##suffix(const T *z, uint64_t *bits, long count) {                     \
    for (long i = 0; i < count; i += WORD) {                                                           \
      long width = count - i < WORD ? count - i : WORD;                                                \
      uint64_t word = 0;                                                                               \
      for (long j = 0; j < width; j++) word |= (uint64_t)(z[i + j] > 0) << j;                          \
      bits[i / WORD] = word;                                                                           \
    }                                                                                                  \
  }                                                                                                    \
  CLONES int fenchel_any_within_##suffix(const T *z, const T *bound, T scale, long count) {            \
    int found = 0;                                                                                     \
    for (long i = 0; i < count; i++) found |= !((z[i] < 0 ? -z[i] : z[i]) > scale * bound[i]);         \
    return found;                                                                                      \
  }

DEFINE_KERNELS(float, s)
DEFINE_KERNELS(double, d)
