/* Where t = Σ|xᵀw| of a relaxed piece of neurons lies, and how its ends move: loops over samples that divide and take roots. */
#include "CKernels.h"
#include "clones.h"
#include <math.h>

#define LANES 8

/* The rows of `state`, n entries each. */
enum { LOW, LOW_Z, LOW_ROOT, LOW_FORM, HIGH, HIGH_Z, HIGH_ROOT, HIGH_SIZE };

CLONES void fenchel_interval_ends_d(long n, const double *restrict width, const double *restrict tilt,
                                    const double *restrict rise, const double *restrict side, const double *restrict z,
                                    const double *restrict root, double nu, double ratio, double size, double eps,
                                    int is_cut, double *restrict state) {
  double *restrict low = state + LOW * n, *restrict low_z = state + LOW_Z * n, *restrict low_root = state + LOW_ROOT * n,
                   *restrict low_form = state + LOW_FORM * n, *restrict high = state + HIGH * n,
                   *restrict high_z = state + HIGH_Z * n, *restrict high_root = state + HIGH_ROOT * n,
                   *restrict high_size = state + HIGH_SIZE * n;
  for (long i = 0; i < n; i++) {
    double form_root = root[i] * nu, square = root[i] * root[i] * ratio;
    double edge = eps * form_root + 1e-140; /* its square is above zero, so that nothing is divided by it */
    double rounded = sqrt(z[i] * z[i] + edge * edge);
    double a = rounded - edge, b = 2 * square / width[i] - tilt[i] * z[i];
    double low_width = sqrt((a - b) * (a - b) + edge * edge);
    double share = (1 + (a - b) / low_width) / 2;
    double chord = tilt[i] * z[i] + rise[i] * size, gap = form_root - chord;
    double high_width = sqrt(gap * gap + edge * edge);
    double line = is_cut ? (1 + gap / high_width) / 2 : 0;
    double free = side[i] == 0 ? 1 : 0, fixed = 1 - free;
    low[i] = free * (a + b + low_width - edge) / 2 + fixed * side[i] * z[i];
    low_z[i] = free * (share * z[i] / rounded - (1 - share) * tilt[i]) + fixed * side[i];
    low_form[i] = free * 2 * (1 - share) / width[i];
    low_root[i] = free * eps * (share * (edge / rounded - 1) + (edge / low_width - 1) / 2);
    high[i] = free * (is_cut ? (form_root + chord - high_width + edge) / 2 : form_root) + fixed * side[i] * z[i];
    high_z[i] = free * line * tilt[i] + fixed * side[i];
    high_size[i] = free * line * rise[i];
    high_root[i] = free * (is_cut ? 1 - line + eps * (1 - edge / high_width) / 2 : 1);
  }
}

CLONES void fenchel_interval_slopes_d(long n, const double *restrict c, const double *restrict root, const double *restrict state,
                                      double nu, double size, double *restrict dz, double *restrict m, double *restrict growth,
                                      double *restrict stretch) {
  const double *restrict low_z = state + LOW_Z * n, *restrict low_root = state + LOW_ROOT * n,
                         *restrict low_form = state + LOW_FORM * n, *restrict high_z = state + HIGH_Z * n,
                         *restrict high_root = state + HIGH_ROOT * n, *restrict high_size = state + HIGH_SIZE * n;
  double grown[LANES] = {0}, stretched[LANES] = {0};
  for (long start = 0; start < n; start += LANES) {
    long count = n - start < LANES ? n - start : LANES;
    for (long l = 0; l < count; l++) {
      long i = start + l;
      double weight = -c[i] / 2, up = c[i] > 0 ? 1 : 0, down = 1 - up;
      double form = weight * down * low_form[i], extent = weight * up * high_size[i];
      double along = weight * (up * high_root[i] + down * low_root[i]), square = root[i] * root[i];
      dz[i] = weight * (1 + up * high_z[i] + down * low_z[i]);
      m[i] = nu * (along / root[i]) + 2 * form * nu / size;
      grown[l] += along * root[i] + form * square / size + extent * size;
      stretched[l] += extent * nu - form * square * nu / (size * size);
    }
  }
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) {
      grown[l] += grown[l + half];
      stretched[l] += stretched[l + half];
    }
  *growth = grown[0];
  *stretch = stretched[0];
}

CLONES void fenchel_column_norms_d(long rows, long n, const double *restrict a, double *restrict norm) {
  for (long i = 0; i < n; i++) norm[i] = 1e-300;
  for (long l = 0; l < rows; l++, a += n)
    for (long i = 0; i < n; i++) norm[i] += a[i] * a[i];
  for (long i = 0; i < n; i++) norm[i] = sqrt(norm[i]);
}

CLONES void fenchel_scale_columns_d(long rows, long n, double *restrict a, const double *restrict m, const double *restrict u,
                                    const double *restrict v) {
  for (long l = 0; l < rows; l++, a += n)
    for (long i = 0; i < n; i++) a[i] = a[i] * m[i] + u[l] * v[i];
}
