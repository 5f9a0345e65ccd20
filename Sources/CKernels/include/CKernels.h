/* Loops that need more than the default target's vectors: compiled for several processors, chosen at run time.
   Pointers and scalars only. `s` is float, `d` is double. */
#ifndef FENCHEL_KERNELS_H
#define FENCHEL_KERNELS_H

#include <stdint.h>

/* x_i <- exp(x_i); relative error of a few units in the last place, 0 below the normal numbers. */
void fenchel_exp_s(float *x, long count);
void fenchel_exp_d(double *x, long count);

/* value_i <- log(1 + exp(x_i)) and x_i <- its derivative 1 / (1 + exp(-x_i)). */
void fenchel_softplus_s(float *x, float *value, long count);
void fenchel_softplus_d(double *x, double *value, long count);

/* Σ bit_i z_i. */
float fenchel_masked_sum_s(const float *z, const uint64_t *bits, long count);
double fenchel_masked_sum_d(const double *z, const uint64_t *bits, long count);

/* z_i ← bit_i · value. */
void fenchel_masked_fill_s(float *z, const uint64_t *bits, long count, float value);
void fenchel_masked_fill_d(double *z, const uint64_t *bits, long count, double value);

/* sum_i ← sum_i + bit_i z_i. */
void fenchel_masked_add_s(float *sum, const float *z, const uint64_t *bits, long count);
void fenchel_masked_add_d(double *sum, const double *z, const uint64_t *bits, long count);

/* target_i ← bit_i z_i. */
void fenchel_masked_copy_s(float *target, const float *z, const uint64_t *bits, long count);
void fenchel_masked_copy_d(double *target, const double *z, const uint64_t *bits, long count);

/* y_i ← x_i y_i. */
void fenchel_multiply_s(const float *x, float *y, long count);
void fenchel_multiply_d(const double *x, double *y, long count);

/* bit_i ← z_i > 0; unused bits of the last word are cleared. */
void fenchel_sign_bits_s(const float *z, uint64_t *bits, long count);
void fenchel_sign_bits_d(const double *z, uint64_t *bits, long count);

/* Σ x_i and Σ x_i y_i with the rounding errors of every addition and product carried along. */
double fenchel_compensated_sum(const double *x, long count);
double fenchel_compensated_dot(const double *x, const double *y, long count);

/* Σ x_i y_i in Double like the above, for x in single precision. */
double fenchel_compensated_dot_mixed(const float *x, const double *y, long count);

/* y ← α A x + β y for A: m × n, row-major with rows `lda` apart, and y ← α Aᵀ x + β y; β = 0 overwrites y. */
void fenchel_gemv_s(long m, long n, float alpha, const float *a, long lda, const float *x, float beta, float *y);
void fenchel_gemv_d(long m, long n, double alpha, const double *a, long lda, const double *x, double beta,
                    double *y);
void fenchel_gemv_transposed_s(long m, long n, float alpha, const float *a, long lda, const float *x, float beta,
                               float *y);
void fenchel_gemv_transposed_d(long m, long n, double alpha, const double *a, long lda, const double *x,
                               double beta, double *y);

/* Largest order of the two kernels below. */
#define FENCHEL_BLOCK 64

/* x ← L⁻¹ x, or L⁻ᵀ x (backward), for the lower triangular row-major L of order n and `count` vectors x;
   entry j of vector r is b[j * entry + r * side]. */
void fenchel_triangular_solve_s(long n, long count, const float *l, long ld, int backward, float *b, long entry,
                                long side);
void fenchel_triangular_solve_d(long n, long count, const double *l, long ld, int backward, double *b,
                                long entry, long side);

/* The lower Cholesky factor in place, row-major. 0, or the 1-based index of a pivot that is not positive. */
int fenchel_cholesky_s(long n, float *a, long ld);
int fenchel_cholesky_d(long n, double *a, long ld);

/* Whether |z_i| <= scale · bound_i for some i. */
int fenchel_any_within_s(const float *z, const float *bound, float scale, long count);
int fenchel_any_within_d(const double *z, const double *bound, double scale, long count);

/* ReLU neurons in panels of 16 lanes: `w` holds for each panel d rows of 16 weights, `a` 16 output weights, padded
   lanes are 0; panel p feeds output[p] of c, and panels are in the order of their outputs. x: n × d.
   forward: f_kj <- Σ a_l (x_k·w_l)₊ over the lanes of output j (f: n × c), and signs[p][k][l] <- −(x_k·w_l > 0).
   backward: images[p][j][l] <- Σ_k r_kj 1[x_k·w_l > 0] x_kj, with r: n × c and the signs of the forward pass. */
void fenchel_neurons_forward_d(const double *x, long n, long d, const double *w, const double *a,
                               const int32_t *output, long panels, long c, double *f, int8_t *signs);
void fenchel_neurons_backward_d(const double *x, long n, long d, const double *r, const int32_t *output,
                                long panels, long c, const int8_t *signs, double *images);

/* One sweep of coordinate descent on |c − Σ_i α_i y_i|² over 0 ≤ α_i ≤ 1, for 16 problems side by side that share
   y: n × d. alpha: n × 16; rest: d × 16, kept at c − Σ_i α_i y_i; squares: |y_i|². Returns the largest
   |step_i| |y_i| relative to the length of `rest` before. */
double fenchel_box_sweep_d(const double *y, const double *squares, long n, long d, double *alpha, double *rest);

/* Steps of first-order methods with the slope h = g + decay·w; every one returns 1 where all new weights are finite,
   and `out` may not overlap `w`.
   descend:  out <- w − rate·h.
   momentum: velocity <- friction·velocity + h;  out <- w − rate·velocity.
   scaled:   square <- keep·square + take·h²;  out <- w − rate·h/(√square + ε).
   adam:     mean <- keep1·mean + (1 − keep1)·h;  square <- keep2·square + (1 − keep2)·h²;
             out <- w − rate·mean/(root·√square + ε). */
int fenchel_descend_s(long count, float rate, float decay, const float *w, const float *g, float *out);
int fenchel_momentum_s(long count, float rate, float decay, float friction, const float *w, const float *g,
                       float *velocity, float *out);
int fenchel_scaled_s(long count, float rate, float decay, float keep, float take, float epsilon, const float *w,
                     const float *g, float *square, float *out);
int fenchel_adam_s(long count, float rate, float decay, float keep1, float keep2, float root, float epsilon,
                   const float *w, const float *g, float *mean, float *square, float *out);
int fenchel_descend_d(long count, double rate, double decay, const double *w, const double *g, double *out);
int fenchel_momentum_d(long count, double rate, double decay, double friction, const double *w, const double *g,
                       double *velocity, double *out);
int fenchel_scaled_d(long count, double rate, double decay, double keep, double take, double epsilon, const double *w,
                     const double *g, double *square, double *out);
int fenchel_adam_d(long count, double rate, double decay, double keep1, double keep2, double root, double epsilon,
                   const double *w, const double *g, double *mean, double *square, double *out);

/* An image of channels × height × width, averaged over squares of size × size, with `above` rows of zeros above and below
   and `beside` columns on either side. */
struct fenchel_frame {
  long channels, height, width, size, above, beside;
};
/* A kernel of height × width that moves by `stride` over a frame of channels × down × across to rows × columns positions. */
struct fenchel_kernel {
  long channels, down, across, height, width, stride, rows, columns;
};
/* The frame of an image; the image plus `scale` times the adjoint; the patches of a frame, where both have 64 bytes of slack
   at their end; the frame plus the adjoint of its patches. */
#define FENCHEL_IMAGE_KERNELS(T, suffix)                                                                   \
  void fenchel_frame_##suffix(const T *image, const struct fenchel_frame *f, T *frame);                    \
  void fenchel_add_frame_##suffix(const T *frame, const struct fenchel_frame *f, T scale, T *image);       \
  void fenchel_gather_patches_##suffix(const T *frame, const struct fenchel_kernel *k, T *patches);        \
  void fenchel_add_patches_##suffix(const T *patches, const struct fenchel_kernel *k, T *frame);
FENCHEL_IMAGE_KERNELS(float, s)
FENCHEL_IMAGE_KERNELS(double, d)

/* The ends of the intervals of `AbsoluteIntervals` and their derivatives: `state` has the rows low, its derivatives in z,
   √(τq) and q, high, its derivatives in z, √(τq) and τ, of n entries each; nu = ‖u‖, ratio = ‖u‖/‖V‖, size = τ = ‖u‖‖V‖. */
void fenchel_interval_ends_d(long n, const double *width, const double *tilt, const double *rise, const double *side,
                             const double *z, const double *root, double nu, double ratio, double size, double eps,
                             int is_cut, double *state);

/* The derivatives of −½Σ c_i (z_i + t_i), t_i the upper end where c_i > 0, else the lower one: in z, through √q as a factor of
   the images, and the sums in ‖u‖ and ‖V‖. */
void fenchel_interval_slopes_d(long n, const double *c, const double *root, const double *state, double nu, double size,
                               double *dz, double *m, double *growth, double *stretch);

/* norm_i ← √(Σ_l a_li² + 1e-300) for A: rows × n, and a_li ← a_li m_i + u_l v_i. */
void fenchel_column_norms_d(long rows, long n, const double *a, double *norm);
void fenchel_scale_columns_d(long rows, long n, double *a, const double *m, const double *u, const double *v);

/* Lets the C library keep up to 256 MiB of freed memory, in pieces of up to 32 MiB, instead of handing it back. */
void fenchel_keep_freed_memory(void);

/* Tells the processor that this thread waits for another one. */
static inline void fenchel_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
