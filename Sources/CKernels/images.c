/* One image at a time, channel by channel, row by row. A frame is an image averaged over squares of size × size pixels,
   with a border of zeros around every channel. Patches are one row for each channel and each place in the kernel, which
   holds the pixels that the place meets in all positions of the kernel. */
#include "CKernels.h"
#include "clones.h"

/* Bytes that copies of rows may read and write beyond the end: callers leave as many. */
#define SLACK 64

#define DEFINE_KERNELS(T, suffix)                                                                      \
  static inline void average_##suffix(const T *restrict from, long width, long size, long columns,     \
                                      T *restrict to) {                                                \
    if (size == 2) {                                                                                   \
      for (long j = 0; j < columns; j++)                                                               \
        to[j] = (T)0.25 * ((from[2 * j] + from[2 * j + 1]) + (from[width + 2 * j] + from[width + 2 * j + 1])); \
      return;                                                                                          \
    }                                                                                                  \
    T share = (T)1 / (T)(size * size);                                                                 \
    for (long j = 0; j < columns; j++) {                                                               \
      T sum = 0;                                                                                       \
      for (long a = 0; a < size; a++)                                                                  \
        for (long b = 0; b < size; b++) sum += from[a * width + j * size + b];                         \
      to[j] = share * sum;                                                                             \
    }                                                                                                  \
  }                                                                                                    \
  CLONES void fenchel_frame_##suffix(const T *restrict image, const struct fenchel_frame *f, T *restrict frame) { \
    long columns = f->width / f->size, rows = f->height / f->size;                                     \
    long across = columns + 2 * f->beside, down = rows + 2 * f->above;                                 \
    if (f->above > 0 || f->beside > 0)                                                                 \
      for (long i = 0; i < f->channels * down * across; i++) frame[i] = 0;                             \
    for (long c = 0; c < f->channels; c++)                                                             \
      for (long i = 0; i < rows; i++) {                                                                \
        const T *from = image + (c * f->height + i * f->size) * f->width;                              \
        T *to = frame + (c * down + i + f->above) * across + f->beside;                                \
        if (f->size == 1)                                                                              \
          for (long j = 0; j < columns; j++) to[j] = from[j];                                          \
        else                                                                                           \
          average_##suffix(from, f->width, f->size, columns, to);                                      \
      }                                                                                                \
  }                                                                                                    \
  CLONES void fenchel_add_frame_##suffix(const T *restrict frame, const struct fenchel_frame *f, T scale, \
                                         T *restrict image) {                                          \
    long columns = f->width / f->size, rows = f->height / f->size;                                     \
    long across = columns + 2 * f->beside, down = rows + 2 * f->above;                                 \
    T share = scale / (T)(f->size * f->size);                                                          \
    for (long c = 0; c < f->channels; c++)                                                             \
      for (long i = 0; i < rows * f->size; i++) {                                                      \
        const T *from = frame + (c * down + i / f->size + f->above) * across + f->beside;              \
        T *to = image + (c * f->height + i) * f->width;                                                \
        if (f->size == 1)                                                                              \
          for (long j = 0; j < columns; j++) to[j] += share * from[j];                                 \
        else if (f->size == 2)                                                                         \
          for (long j = 0; j < columns; j++) {                                                         \
            to[2 * j] += share * from[j];                                                              \
            to[2 * j + 1] += share * from[j];                                                          \
          }                                                                                            \
        else                                                                                           \
          for (long j = 0; j < f->width; j++) to[j] += share * from[j / f->size];                      \
      }                                                                                                \
  }                                                                                                    \
  CLONES void fenchel_gather_patches_##suffix(const T *restrict frame, const struct fenchel_kernel *k, \
                                              T *restrict patches) {                                   \
    for (long c = 0; c < k->channels; c++)                                                             \
      for (long a = 0; a < k->height; a++)                                                             \
        for (long b = 0; b < k->width; b++)                                                            \
          for (long i = 0; i < k->rows; i++, patches += k->columns) {                                  \
            const T *from = frame + (c * k->down + i * k->stride + a) * k->across + b;                 \
            if (k->stride == 1)                                                                        \
              for (long j = 0; j < k->columns; j += SLACK / (long)sizeof(T))                           \
                __builtin_memcpy(patches + j, from + j, SLACK);                                        \
            else                                                                                       \
              for (long j = 0; j < k->columns; j++) patches[j] = from[j * k->stride];                  \
          }                                                                                            \
  }                                                                                                    \
  CLONES void fenchel_add_patches_##suffix(const T *restrict patches, const struct fenchel_kernel *k,  \
                                           T *restrict frame) {                                        \
    for (long c = 0; c < k->channels; c++)                                                             \
      for (long a = 0; a < k->height; a++)                                                             \
        for (long b = 0; b < k->width; b++)                                                            \
          for (long i = 0; i < k->rows; i++, patches += k->columns) {                                  \
            T *to = frame + (c * k->down + i * k->stride + a) * k->across + b;                         \
            if (k->stride == 1)                                                                        \
              for (long j = 0; j < k->columns; j++) to[j] += patches[j];                               \
            else                                                                                       \
              for (long j = 0; j < k->columns; j++) to[j * k->stride] += patches[j];                   \
          }                                                                                            \
  }

DEFINE_KERNELS(float, s)
DEFINE_KERNELS(double, d)
