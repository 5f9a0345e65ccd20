/* CLONES compiles a function once for each generation of processors; the fastest that runs is taken at load time.
   WIDE_CLONES keeps vectors of 64 bytes whole in registers of that width. */
#ifndef FENCHEL_CLONES_H
#define FENCHEL_CLONES_H

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#define WIDE_CLONES CLONES __attribute__((min_vector_width(512)))
#else
#define CLONES
#define WIDE_CLONES
#endif

#endif
